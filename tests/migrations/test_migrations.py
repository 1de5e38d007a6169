"""The schema's history: it leads to the models, can be run twice at once, and says what it is."""

import asyncio
import re
import sys
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

import migrations
from migrations import run

VERSIONS = sorted((Path(migrations.__file__).parent / "versions").glob("*.py"))


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


def test_files_are_numbered_without_gaps_and_say_when_they_run():
    names = [path.stem for path in VERSIONS]

    assert all(re.fullmatch(r"\d{4}_(pre|post)_[a-z0-9_]+", name) for name in names)
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
