"""Reads of squads with what belongs to them; members who were removed belong to none."""

from collections.abc import Sequence
from typing import Literal, assert_never
from uuid import UUID

from sqlalchemy import Select, select, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from db.models import Squad, SquadMember
from db.queries.pages import MAX_PER_PAGE, KeyPage, check_per_page, cut
from domain.values import SquadStatus

Belonging = Literal["owner", "seated", "either"]
"""What a user is to a squad: its owner, on one of its seats, or any of the two."""


async def get_squad_with_members(session: AsyncSession, squad_id: UUID) -> Squad | None:
    """Give a squad with its members loaded, in two statements however many there are, or `None`."""
    return await session.scalar(select(Squad).where(Squad.id == squad_id).options(selectinload(Squad.members)))


async def get_squad_with_members_and_projects(session: AsyncSession, squad_id: UUID) -> Squad | None:
    """Give a squad with its members and its projects loaded, in three statements, or `None`."""
    return await session.scalar(_with_both(select(Squad).where(Squad.id == squad_id)))


async def get_squads_with_members_and_projects(
    session: AsyncSession, after: UUID | None = None, per_page: int = 20
) -> KeyPage[Squad]:
    """Give a page of all squads in the order of their ids, members and projects loaded, in three statements.

    Args:
        session: to read with.
        after: `next` of the page before.
        per_page: 1 to `MAX_PER_PAGE`.

    Raises:
        ValueError: a size that no page has.
    """
    check_per_page(per_page)
    squads = select(Squad).order_by(Squad.id).limit(per_page + 1)
    if after is not None:
        squads = squads.where(Squad.id > after)
    return cut((await session.scalars(_with_both(squads))).all(), per_page)


async def get_squads_of_user(
    session: AsyncSession,
    user_id: UUID,
    belonging: Belonging = "either",
    *,
    status: SquadStatus | None = None,
    limit: int = MAX_PER_PAGE,
) -> Sequence[Squad]:
    """Give the squads that a user belongs to, each once, newest first; nothing of theirs is loaded.

    Args:
        session: to read with.
        user_id: who.
        belonging: how; somebody who was removed from a seat does not belong.
        status: only squads of this status; `None`: of any.
        limit: 1 to `MAX_PER_PAGE`.

    Raises:
        ValueError: a limit that there is not.
    """
    check_per_page(limit, "limit")
    squads = select(Squad).where(Squad.id.in_(_belonging(user_id, belonging)))
    if status is not None:
        squads = squads.where(Squad.status == status)
    return (await session.scalars(squads.order_by(Squad.created_at.desc(), Squad.id.desc()).limit(limit))).all()


def _belonging(user_id: UUID, belonging: Belonging) -> Select[UUID]:
    owned = select(Squad.id).where(Squad.user_id == user_id)
    seated = select(SquadMember.squad_id).where(SquadMember.user_id == user_id, SquadMember.removed_at.is_(None))
    match belonging:
        case "owner":
            return owned
        case "seated":
            return seated
        case "either":
            return select(union(owned, seated).subquery("mine").c.id)
        case _:
            assert_never(belonging)


def _with_both(squads: Select[Squad]) -> Select[Squad]:
    return squads.options(selectinload(Squad.members), selectinload(Squad.projects))
