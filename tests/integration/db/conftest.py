"""A session for tests that only read what they stored themselves."""

from collections.abc import AsyncIterator

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncSession

from db.database import Database


@pytest_asyncio.fixture
async def unsaved(module_database_url: str) -> AsyncIterator[AsyncSession]:
    """A session on a database that the module's tests share: nothing is committed, so each finds it empty."""
    database = Database(url=module_database_url)
    async with database.sessions() as session:
        yield session
        await session.rollback()
    await database.close()
