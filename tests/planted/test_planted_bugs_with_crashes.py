"""The same, where the run crashes a PostgreSQL of its own."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from db.database import Database
from migrations import run as migrations
from outbox.partitions import Partitions
from stack.local_stack import LocalStack
from tests.faults.servers import start_own, why_none
from tests.planted.catalogue import BUGS
from tests.planted.crashing import SERVER_SETTINGS, CrashingTrial
from tests.planted.judging import assert_caught, assert_passes
from tests.planted.planting import PlantedBug

HERE = [bug for bug in BUGS if bug.needs == "a PostgreSQL of its own"]

pytestmark = pytest.mark.skipif(bool(why_none("embedded")), reason=why_none("embedded"))


@pytest_asyncio.fixture(scope="module")
async def servers() -> AsyncIterator[LocalStack]:
    async with start_own("embedded", postgres_settings=SERVER_SETTINGS) as started:
        yield started


@pytest_asyncio.fixture
async def own_database(servers: LocalStack) -> AsyncIterator[Database]:
    name = f"test_{uuid4().hex[:8]}"
    engine = create_async_engine(servers.database_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    url = make_url(servers.database_url).set(database=name).render_as_string(hide_password=False)
    await asyncio.to_thread(migrations.upgrade, url)
    database = Database(url=url)
    await Partitions(database=database).maintain_once()
    yield database
    await database.close()


@pytest.mark.parametrize("bug", HERE, ids=lambda bug: bug.name)
async def test_planted_bug_is_caught(
    bug: PlantedBug, own_database: Database, servers: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_caught(CrashingTrial(own_database, monkeypatch, seed=bug.seed, servers=servers), bug)


@pytest.mark.parametrize("bug", HERE, ids=lambda bug: bug.name)
async def test_same_run_without_the_bug_passes(
    bug: PlantedBug, own_database: Database, servers: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_passes(CrashingTrial(own_database, monkeypatch, seed=bug.seed, servers=servers), bug)
