"""A client that stops between preparing a statement and running it: its locks are free in time."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.database import Database
from db.errors import Failure, classify

TAKE = text("SELECT pg_advisory_xact_lock(4711)")


async def test_transaction_of_a_client_that_stopped_half_way_is_ended(database: Database) -> None:
    async with database.sessions() as session:
        if await session.scalar(text("SELECT CAST(current_setting('server_version_num') AS integer)")) < 170_000:
            pytest.skip("PostgreSQL before 17 has no transaction_timeout")
    stopped = Database(
        url=database.url,
        pool_size=1,
        statement_timeout_seconds=0.3,
        idle_in_transaction_timeout_seconds=0.3,
        transaction_timeout_seconds=1,
    )
    try:
        async with stopped.sessions() as session:
            await session.execute(TAKE)
            driver = (await (await session.connection()).get_raw_connection()).driver_connection
            assert driver is not None
            # Parsed and described, but neither run nor synchronised: the server waits for the rest, and is not idle.
            await driver.prepare("SELECT 42")

            async with asyncio.timeout(20), database.transaction() as heir:
                await heir.execute(text("SET LOCAL lock_timeout = 0"))
                await heir.execute(TAKE)
            with pytest.raises(DBAPIError) as ended:
                await session.execute(text("SELECT 1"))
        assert classify(ended.value) is Failure.TRANSIENT
    finally:
        await stopped.close()


async def test_transactions_without_a_limit_have_none(database: Database) -> None:
    async with database.transaction() as session:
        shown = text("SELECT COALESCE(current_setting('transaction_timeout', true), '0')")
        assert await session.scalar(shown) == "0"
