"""What PostgreSQL and the drivers really raise when nothing is wrong with the records, and that it counts as that."""

import asyncio

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, NotSupportedError

from db.database import Database
from db.errors import Failure, UnreachableError, classify, sqlstate

ONE, OTHER = (text(f"SELECT 1 FROM locked WHERE id = {number} FOR UPDATE") for number in (1, 2))


@pytest_asyncio.fixture
async def locked(database: Database) -> Database:
    """A database with two rows to lock."""
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE locked AS SELECT id, 0 AS value FROM generate_series(1, 2) AS id"))
    return database


async def test_lock_that_is_not_had_in_time_is_transient(locked: Database) -> None:
    async with locked.transaction() as holder, locked.sessions() as other:
        await holder.execute(ONE)
        await other.execute(text("SET LOCAL lock_timeout = '10ms'"))
        with pytest.raises(DBAPIError) as raised:
            await other.execute(ONE)
    assert (type(raised.value), sqlstate(raised.value)) == (DBAPIError, "55P03")
    assert classify(raised.value) is Failure.TRANSIENT


async def test_statement_that_takes_too_long_is_transient(locked: Database) -> None:
    async with locked.sessions() as session:
        await session.execute(text("SET LOCAL statement_timeout = '10ms'"))
        with pytest.raises(DBAPIError) as raised:
            await session.execute(text("SELECT pg_sleep(60)"))
    assert (type(raised.value), sqlstate(raised.value)) == (DBAPIError, "57014")
    assert classify(raised.value) is Failure.TRANSIENT


async def test_deadlock_is_transient(locked: Database) -> None:
    async with locked.sessions() as first, locked.sessions() as second:
        for session, own in ((first, ONE), (second, OTHER)):
            await session.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
            await session.execute(own)
        waits = asyncio.create_task(first.execute(OTHER))
        crosses = asyncio.create_task(second.execute(ONE))
        # Whoever finds it out is ended, and the other one has its lock then.
        done, _ = await asyncio.wait([waits, crosses], timeout=20, return_when=asyncio.FIRST_EXCEPTION)
        [error] = [each for task in done if (each := task.exception()) is not None]
        await (first if waits.done() and waits.exception() else second).rollback()
        await asyncio.wait([waits, crosses], timeout=20)
    assert (type(error), sqlstate(error)) == (DBAPIError, "40P01")
    assert classify(error) is Failure.TRANSIENT


async def test_serialization_failure_is_transient(locked: Database) -> None:
    async with locked.sessions() as late:
        await late.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        await late.execute(text("SELECT value FROM locked"))
        async with locked.transaction() as rival:
            await rival.execute(text("UPDATE locked SET value = 1"))
        with pytest.raises(DBAPIError) as raised:
            await late.execute(text("UPDATE locked SET value = 2"))
    assert (type(raised.value), sqlstate(raised.value)) == (DBAPIError, "40001")
    assert classify(raised.value) is Failure.TRANSIENT


async def test_statement_that_a_migration_made_stale_is_transient(locked: Database) -> None:
    """It was prepared before; the driver tells no state, and the next attempt prepares it anew."""
    everything = text("SELECT * FROM locked")
    async with locked.sessions() as session:
        await session.execute(everything)
        await session.rollback()
        async with locked.transaction() as migration:
            await migration.execute(text("ALTER TABLE locked ADD COLUMN more integer"))
        with pytest.raises(NotSupportedError, match="InvalidCachedStatementError") as raised:
            await session.execute(everything)
        await session.rollback()
        assert len((await session.execute(everything)).keys()) == 3
    assert (sqlstate(raised.value), classify(raised.value)) == (None, Failure.TRANSIENT)


async def test_pool_without_a_free_connection_is_transient(database: Database) -> None:
    small = Database(url=database.url, pool_size=1, pool_timeout_seconds=0.05)
    async with small.transaction():
        with pytest.raises(UnreachableError, match="QueuePool limit") as raised:
            async with small.transaction():
                pass
    await small.close()
    assert classify(raised.value) is Failure.TRANSIENT
    assert classify(raised.value.__cause__ or ValueError()) is Failure.TRANSIENT
