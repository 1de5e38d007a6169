"""Adding rows by COPY belongs to the session's transaction, whatever came before it."""

from datetime import UTC, datetime

from sqlalchemy import text

from db import bulk

COLUMNS = ("name", "holder", "epoch", "expires_at")
LATER = datetime(2100, 1, 1, tzinfo=UTC)


async def count(database) -> int:
    async with database.sessions() as session:
        return await session.scalar(text("SELECT count(*) FROM leases"))


async def test_rows_added_first_in_a_session_roll_back_with_it(database):
    async with database.sessions() as session:
        await bulk.add_rows(session, "leases", COLUMNS, [("a", "b", 1, LATER)])
        assert await count(database) == 0, "nobody else may see it"
        await session.rollback()
    assert await count(database) == 0

    async with database.transaction() as session:
        await bulk.add_rows(session, "leases", COLUMNS, [("a", "b", 1, LATER)])
    assert await count(database) == 1


async def test_no_rows_are_no_statement(database):
    async with database.transaction() as session:
        await bulk.add_rows(session, "no_such_table", COLUMNS, [])
