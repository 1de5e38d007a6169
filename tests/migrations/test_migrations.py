"""The schema's history: it leads to the models, can be run twice at once, and says what it is."""

import asyncio
import sys

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from migrations import run


async def tables(url: str) -> set[str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        names = {row[0] for row in found}
    await engine.dispose()
    return names


async def test_migrations_lead_to_the_models(empty_database_url):
    await asyncio.to_thread(run.upgrade, empty_database_url)

    await asyncio.to_thread(run.check, empty_database_url)


async def test_migrations_go_back_and_forth(empty_database_url):
    await asyncio.to_thread(run.upgrade, empty_database_url)
    await asyncio.to_thread(run.downgrade, empty_database_url, "base")
    assert await tables(empty_database_url) == {"alembic_version"}

    await asyncio.to_thread(run.upgrade, empty_database_url)

    await asyncio.to_thread(run.check, empty_database_url)


async def test_two_runs_at_once_wait_for_each_other(empty_database_url):
    program = f"from migrations import run; run.upgrade({empty_database_url!r})"
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", program) for _ in range(3)]

    assert await asyncio.gather(*(process.wait() for process in processes)) == [0, 0, 0]

    assert "outbox" in await tables(empty_database_url)
