"""Reads of users. Whoever was erased is not found; whoever is deactivated is."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import User
from db.queries.pages import Page
from domain.values import email_key

MAX_PER_PAGE = 1_000
"""Of any page."""


async def get_user(session: AsyncSession, user_id: UUID) -> User | None:
    """Give a user, or `None`."""
    return await session.scalar(select(User).where(User.id == user_id, User.erased_at.is_(None)))


async def get_user_by_email(session: AsyncSession, email: str) -> User | None:
    """Give the user who has an e-mail, compared case-folded, or `None`."""
    return await session.scalar(select(User).where(User.email_key == email_key(email)))


async def get_users_paginated(session: AsyncSession, page: int = 1, per_page: int = 20) -> Page[User]:
    """Give one page of users, newest first.

    Args:
        session: to read with.
        page: its number, from 1; past the end it is empty.
        per_page: 1 to `MAX_PER_PAGE`.

    Raises:
        ValueError: a page or a size that cannot be.
    """
    if page < 1:
        raise ValueError(f"page must be at least 1, not {page}")
    if not 1 <= per_page <= MAX_PER_PAGE:
        raise ValueError(f"per_page must be from 1 to {MAX_PER_PAGE}, not {per_page}")
    known = select(User).where(User.erased_at.is_(None))
    total = await session.scalar(select(func.count()).select_from(User).where(User.erased_at.is_(None)))
    # The guide forgot the order, without which pages may overlap; the id settles equal times.
    users = await session.scalars(
        known.order_by(User.created_at.desc(), User.id.desc()).offset((page - 1) * per_page).limit(per_page)
    )
    return Page(items=users.all(), total=total or 0, page=page, per_page=per_page)
