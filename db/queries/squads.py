"""Reads of squads with what belongs to them."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from db.models import Squad


async def get_squad_with_members(session: AsyncSession, squad_id: UUID) -> Squad | None:
    """Give a squad with its members loaded, in two statements however many there are, or `None`."""
    return await session.scalar(select(Squad).where(Squad.id == squad_id).options(selectinload(Squad.members)))
