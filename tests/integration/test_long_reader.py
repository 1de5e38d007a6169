"""A transaction that reads for long stops no maintenance: it goes on beside it, or gives way and is tried again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inbox_floor import Rule
from consumers.pruning import Pruner
from db.database import Database
from outbox.connection import own_connection
from outbox.day_tables import fetch_tables
from outbox.days import first_position, partition_name
from outbox.partitions import Partitions
from outbox.retention import Retention
from tests.filling import fill_state
from tests.relaying import RecordingPublisher, execute, leading_relay, write_rows

OLD = datetime(2031, 3, 4, 0, 0, 1, tzinfo=UTC)
LATER = OLD + timedelta(days=20)
NAME = partition_name(OLD.date())
TABLES = ("outbox", "inbox", "inbox_floor", "relay_cursors", "held", "dead_letters", "users", "checkpoints")


@asynccontextmanager
async def reading(database: Database, *tables: str) -> AsyncIterator[AsyncConnection]:
    """Hold a transaction open that has read these tables and sees them as they are now."""
    async with database.engine.connect() as connection:
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        for table in tables:
            await connection.execute(text(f"SELECT count(*) FROM {table}"))
        yield connection


def maintenance(database: Database, now: datetime, *, lock_timeout_seconds: float = 30) -> Partitions:
    retention = Retention(database=database, now=lambda: now, lock_timeout_seconds=lock_timeout_seconds)
    return Partitions(
        database=database, retention=retention, now=lambda: now, lock_timeout_seconds=lock_timeout_seconds
    )


async def attached(database: Database) -> dict[str, bool]:
    async with database.engine.connect() as connection:
        return {table.name: table.is_attached for table in await fetch_tables(connection)}


async def test_days_go_on_beside_a_long_reader_and_the_old_one_waits_for_its_end(database: Database) -> None:
    publisher = RecordingPublisher()
    await maintenance(database, OLD).maintain_once()
    await write_rows(database, "a", [1, 2])
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
        async with reading(database, *TABLES):
            assert await maintenance(database, LATER, lock_timeout_seconds=0.2).maintain_once()
            ahead = {partition_name(LATER.date() + timedelta(days=days)) for days in range(4)}
            assert {name for name, is_attached in (await attached(database)).items() if is_attached} >= ahead | {NAME}
            await write_rows(database, "a", [3])
            assert await relay.pass_once() == 1
            assert publisher.positions[-1] == first_position(LATER.date())

    await maintenance(database, LATER).maintain_once()
    assert (await attached(database))[NAME] is False

    async with reading(database, NAME):
        impatient = maintenance(database, LATER + timedelta(days=1), lock_timeout_seconds=0.2)
        assert await impatient.maintain_once()
        assert NAME in await attached(database)
    await maintenance(database, LATER + timedelta(days=1)).maintain_once()
    assert NAME not in await attached(database)


async def test_inbox_is_pruned_beside_a_long_reader_and_what_it_locked_later(database: Database) -> None:
    async with own_connection(database) as connection:
        await fill_state(connection, rows=50)
    await execute(
        database,
        "INSERT INTO checkpoints (consumer_group, topic, partition, next_offset, last_timestamp)"
        " VALUES ('g', 't', 0, 1, now() + interval '1 hour')",
    )
    rule = Rule(age_limit_seconds=0, skew_seconds=0, keep_seconds=0)
    pruner = Pruner(database=database, rule=rule, pause_seconds=0)
    async with reading(database, *TABLES) as reader:
        locked = text("SELECT command_id FROM inbox ORDER BY command_id LIMIT 3 FOR SHARE")
        assert len(list(await reader.scalars(locked))) == 3
        assert await pruner.prune_once() == 47
    assert await pruner.prune_once() == 3
