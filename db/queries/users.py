"""Reads of users. Whoever was erased is not found; whoever is deactivated is."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from db.models import User
from db.queries.choosing_users import (
    EVERYBODY,
    UserFilter,
    UserOrder,
    arrange,
    beyond,
    key_of,
)
from db.queries.pages import MAX_PER_PAGE, KeyPage, Page, UnknownPlaceError, check_page, check_per_page, cut
from domain.values import email_key, is_storable


async def get_user(session: AsyncSession, user_id: UUID) -> User | None:
    """Give a user, or `None`."""
    return await session.scalar(select(User).where(User.id == user_id, User.erased_at.is_(None)))


async def get_user_by_email(session: AsyncSession, email: str) -> User | None:
    """Give the user who has an e-mail, compared case-folded, or `None`."""
    if not is_storable(email):
        return None
    return await session.scalar(select(User).where(User.email_key == email_key(email)))


async def get_newest_user(session: AsyncSession, where: UserFilter = EVERYBODY) -> User | None:
    """Give the user who registered last, or `None` if there is none."""
    return (await session.scalars(_rows(where, "newest", limit=1))).first()


async def get_users(
    session: AsyncSession,
    where: UserFilter = EVERYBODY,
    *,
    order: UserOrder = "newest",
    limit: int = MAX_PER_PAGE,
) -> Sequence[User]:
    """Give the first users of an order.

    Args:
        session: to read with.
        where: which users.
        order: in which they come.
        limit: 1 to `MAX_PER_PAGE`.

    Raises:
        ValueError: an order or a limit that there is not.
    """
    check_per_page(limit, "limit")
    return (await session.scalars(_rows(where, order, limit=limit))).all()


async def get_users_paginated(
    session: AsyncSession,
    page: int = 1,
    per_page: int = 20,
    *,
    where: UserFilter = EVERYBODY,
    order: UserOrder = "newest",
) -> Page[User]:
    """Give one page of users by its number, in two statements. Who registers meanwhile moves the pages on.

    Args:
        session: to read with.
        page: its number, from 1; past the end it is empty.
        per_page: 1 to `MAX_PER_PAGE`.
        where: which users.
        order: in which they come.

    Raises:
        ValueError: a page, a size or an order that cannot be.
    """
    check_page(page)
    check_per_page(per_page)
    total = await count_users(session, where)
    if (page - 1) * per_page >= total:
        return Page(items=(), total=total, page=page, per_page=per_page)
    users = await session.scalars(_rows(where, order, limit=per_page, offset=(page - 1) * per_page))
    return Page(items=users.all(), total=total, page=page, per_page=per_page)


async def get_users_after(
    session: AsyncSession,
    after: UUID | None = None,
    per_page: int = 20,
    *,
    where: UserFilter = EVERYBODY,
    order: UserOrder = "newest",
) -> KeyPage[User]:
    """Give the page of users that follows a user, in two statements; the first page, in one.

    Over all pages nobody comes twice and nobody who was there all the time is left out, whoever registers meanwhile;
    ordered by name, that holds for those who are not renamed.

    Args:
        session: to read with.
        after: `next` of the page before.
        per_page: 1 to `MAX_PER_PAGE`.
        where: which users.
        order: in which they come.

    Raises:
        ValueError: a size or an order that cannot be.
        UnknownPlaceError: no such user is known any more.
    """
    check_per_page(per_page)
    place = None
    if after is not None:
        place = (await session.scalar(select(key_of(order)).where(User.id == after)), after)
        if place[0] is None:
            raise UnknownPlaceError(after)
    return cut((await session.scalars(_rows(where, order, limit=per_page + 1, after=place))).all(), per_page)


async def count_users(session: AsyncSession, where: UserFilter = EVERYBODY) -> int:
    """Tell how many users there are."""
    return await session.scalar(select_count(where)) or 0


def select_count(where: UserFilter = EVERYBODY) -> Select[int]:
    """Give the statement that counts users, for whatever kind of session."""
    return select(func.count()).select_from(User).where(*where.conditions())


def _rows(
    where: UserFilter,
    order: UserOrder,
    *,
    limit: int,
    offset: int | None = None,
    after: tuple[object, UUID] | None = None,
) -> Select[User]:
    """Choose by the index alone, then fetch the rows of those who were chosen.

    In one step, everybody who is passed by would cost a look at the row, and where few are wanted the server would
    rather read and sort the whole table.
    """
    key = key_of(order)
    chosen = select(User.id, key.label("key")).where(*where.conditions())
    if after is not None:
        chosen = chosen.where(beyond(order, *after))
    ids = chosen.order_by(*arrange(order, key, User.id)).limit(limit).offset(offset).subquery("chosen")
    # One row for each, looked up: joined, a page that is large beside the table would be met by reading all of it.
    user = aliased(User, select(User).where(User.id == ids.c.id).limit(1).lateral("user"))
    return select(user).select_from(ids).join(user, true()).order_by(*arrange(order, ids.c.key, ids.c.id))
