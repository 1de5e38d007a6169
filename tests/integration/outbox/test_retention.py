"""Old partitions go when every row of theirs was published, and not one row goes with them that was not."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app import upkeep
from app.settings import Settings
from db.database import Database
from outbox.day_tables import fetch_tables
from outbox.days import LOCK, first_position, partition_name
from outbox.obstacles import find_obstacle
from outbox.partitions import Partitions
from outbox.retention import Retention
from outbox.shards import reshard
from tests.acceptance.conftest import running
from tests.relaying import RecordingPublisher, append_rows, execute, fetch_rows, leading_relay, write_rows

OLD = datetime(2031, 3, 4, 0, 0, 1, tzinfo=UTC)
LATER = OLD + timedelta(days=20)
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass"
DAY, NAME = OLD.date(), partition_name(OLD.date())


@pytest_asyncio.fixture
async def outbox(database: Database) -> Database:
    """An outbox whose rows go into an old day's partition."""
    await Partitions(database=database, days_ahead=1, now=lambda: OLD).maintain_once()
    return database


async def jump(database: Database) -> None:
    """Let many days pass: what is written now goes elsewhere."""
    await Partitions(database=database, days_ahead=1, now=lambda: LATER).maintain_once()


def retention_at(database: Database, now: datetime = LATER, *, lock_timeout_seconds: float = 30) -> Retention:
    """Build one that waits long, as a busy machine is no reader; a test in which one is there says for how long."""
    return Retention(database=database, now=lambda: now, lock_timeout_seconds=lock_timeout_seconds)


async def publish(database: Database, publisher: RecordingPublisher | None = None, *, shard: int = 0) -> None:
    async with leading_relay(database, publisher or RecordingPublisher(), shard=shard) as relay:
        await relay.pass_once()


async def attached(database: Database) -> list[str]:
    async with database.engine.connect() as connection:
        return [table.name for table in await fetch_tables(connection) if table.is_attached]


async def test_published_days_are_detached_when_old_and_dropped_a_day_later(outbox: Database) -> None:
    await write_rows(outbox, "a", [1, 2])
    await publish(outbox)
    await jump(outbox)
    young = [partition_name(LATER.date() + timedelta(days=ahead)) for ahead in range(2)]

    retired = await retention_at(outbox).retire_once()

    assert NAME in retired
    assert await attached(outbox) == young
    assert (await fetch_rows(outbox, f"SELECT count(*) FROM {NAME}"))[0][0] == 2
    assert await retention_at(outbox, LATER + timedelta(hours=23)).retire_once() == []
    assert await retention_at(outbox, LATER + timedelta(hours=24)).retire_once() == retired
    async with outbox.engine.connect() as connection:
        assert [table.name for table in await fetch_tables(connection)] == young


async def test_whole_days_are_kept(outbox: Database) -> None:
    await publish(outbox)
    await jump(outbox)
    last_moment = datetime(2031, 3, 18, 23, 59, 59, tzinfo=UTC)

    assert NAME not in await retention_at(outbox, last_moment).retire_once()
    assert NAME in await retention_at(outbox, last_moment + timedelta(seconds=1)).retire_once()


async def test_row_of_a_late_writer_is_published_before_its_partition_goes(outbox: Database) -> None:
    publisher = RecordingPublisher()
    impatient, retention = retention_at(outbox, lock_timeout_seconds=0.2), retention_at(outbox)
    await write_rows(outbox, "a", [1])
    async with outbox.sessions() as late:
        await append_rows(late, "late", [1])
        await jump(outbox)
        await write_rows(outbox, "a", [2])
        await publish(outbox, publisher)
        assert NAME not in await impatient.retire_once()
        assert impatient.obstacles[NAME] == "it is in use by an open transaction: tried again at the next pass"
        await late.commit()

    assert await retention.detach_once(DAY) == "shard 0 has not published all of it"
    assert NAME not in await retention.retire_once()
    assert retention.obstacles[NAME] == "shard 0 has not published all of it"
    await publish(outbox, publisher)

    assert NAME in await retention.retire_once()
    assert retention.obstacles == {}
    assert publisher.positions == [first_position(DAY), first_position(LATER.date()), first_position(DAY) + 1]


@pytest.mark.parametrize("order", ["ask, then detach", "detach, then ask"])
async def test_any_other_order_loses_a_row(outbox: Database, order: str) -> None:
    """What the lock is for: asked before it, or after detaching, everything seems published."""
    publisher = RecordingPublisher()
    await publish(outbox)
    async with outbox.sessions() as late:
        await append_rows(late, "late", [1])
        await jump(outbox)
        async with outbox.engine.connect() as connection:
            before = await find_obstacle(connection, DAY, recorded_before=LATER)
        await late.commit()
    await execute(outbox, f"ALTER TABLE outbox DETACH PARTITION {NAME}")
    await write_rows(outbox, "a", [1])
    await publish(outbox, publisher)
    async with outbox.engine.connect() as connection:
        after = await find_obstacle(connection, DAY, recorded_before=LATER)

    assert (before if order == "ask, then detach" else after) is None
    assert first_position(DAY) not in publisher.positions, "lost"


async def test_open_reader_delays_it_and_writers_do_not_wait_for_the_reader(outbox: Database) -> None:
    await write_rows(outbox, "a", [1])
    await publish(outbox)
    await jump(outbox)
    retention = retention_at(outbox, lock_timeout_seconds=1)
    async with outbox.sessions() as reader:
        await reader.execute(text("SELECT count(*) FROM outbox"))
        detaching = asyncio.create_task(retention.detach_once(DAY))
        while not (await fetch_rows(outbox, WAITING))[0][0]:
            assert not detaching.done()
        await write_rows(outbox, "a", [2])  # behind the detaching, which waits for the reader
        assert await detaching == "it is in use by an open transaction: tried again at the next pass"
    assert await retention_at(outbox).detach_once(DAY) is None


async def test_held_rows_keep_their_partition(outbox: Database) -> None:
    await write_rows(outbox, "a", [1])
    await publish(outbox)
    await jump(outbox)
    await execute(
        outbox,
        f"INSERT INTO held (position, topic, key, slot, reason) VALUES ({first_position(DAY)}, 't', 'a', 1, 'r')",
    )
    retention = retention_at(outbox)

    assert await retention.detach_once(DAY) == "1 of its rows are held"

    await execute(outbox, "DELETE FROM held")
    assert await retention.detach_once(DAY) is None


async def test_shard_without_a_relay_keeps_the_rows_of_its_slots(outbox: Database) -> None:
    await publish(outbox)
    async with outbox.transaction() as session:
        await reshard(session, count=2, reason="a test wants it")
    for number in range(8):
        await write_rows(outbox, f"key-{number}", [1])
    await jump(outbox)
    await publish(outbox, shard=0)
    retention = retention_at(outbox)

    assert await retention.detach_once(DAY) == "shard 1 has not published all of it"

    await publish(outbox, shard=1)
    assert await retention.detach_once(DAY) is None


async def test_partition_stays_where_nobody_can_know_that_it_was_published(outbox: Database) -> None:
    await write_rows(outbox, "a", [1])
    retention = retention_at(outbox)
    assert await retention.detach_once(DAY) == "rows are still written to it"
    await jump(outbox)
    unclaimed = await retention.detach_once(DAY)
    await publish(outbox)
    found = {}
    for change in ("slot_to = 1000", "database_oid = 1", "previous = '9000000:9000000:'"):
        await execute(outbox, "CREATE TABLE kept AS SELECT * FROM relay_cursors")
        await execute(outbox, f"UPDATE relay_cursors SET {change}")
        found[change] = await retention.detach_once(DAY)
        await execute(outbox, "DELETE FROM relay_cursors")
        await execute(outbox, "INSERT INTO relay_cursors SELECT * FROM kept")
        await execute(outbox, "DROP TABLE kept")
    await execute(outbox, f"UPDATE outbox SET recorded_at = '{LATER - timedelta(days=3)}'")
    recent = await retention.detach_once(DAY)

    foreign = "shard 0: no relay has taken its cursor over in this database"
    assert (unclaimed, found["database_oid = 1"], found["previous = '9000000:9000000:'"]) == (foreign,) * 3
    assert found["slot_to = 1000"] == "23 of 1024 slots have no relay"
    assert recent == "its last row was written at 2031-03-21 00:00 UTC"


async def test_table_that_somebody_else_detached_is_never_dropped(outbox: Database) -> None:
    await publish(outbox)
    await jump(outbox)
    await execute(outbox, f"ALTER TABLE outbox DETACH PARTITION {NAME}")

    assert NAME not in await retention_at(outbox, LATER + timedelta(days=400)).retire_once()


async def test_reason_is_logged_once_and_maintenance_retires(
    outbox: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await publish(outbox)
    await write_rows(outbox, "a", [1])
    await jump(outbox)
    retention = retention_at(outbox)
    partitions = Partitions(database=outbox, now=lambda: LATER, retention=retention)
    with caplog.at_level(logging.WARNING, "squad.relay"):
        await partitions.maintain_once()
        await partitions.maintain_once()
    assert caplog.text.count(f"partition stays name={NAME} reason=shard 0 has not published") == 1

    await publish(outbox)
    await partitions.maintain_once()
    assert NAME not in await attached(outbox)


async def test_second_process_leaves_it_to_the_first(outbox: Database) -> None:
    await publish(outbox)
    await jump(outbox)
    async with outbox.transaction() as session:
        await session.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        assert await retention_at(outbox).detach_once(DAY) == "another process is at it"
    assert NAME in await attached(outbox)


async def test_partitions_are_listed_with_what_holds_them_back(outbox: Database, settings: Settings) -> None:
    await write_rows(outbox, "a", [1])
    await jump(outbox)
    await publish(outbox)
    await execute(outbox, f"ALTER TABLE outbox DETACH PARTITION {partition_name(DAY + timedelta(days=1))}")

    listed = {each["name"]: each for each in await upkeep.outbox_partitions(settings)}

    assert listed[NAME]["held_back_by"] is None
    assert (listed[NAME]["state"], listed[NAME]["first_position"]) == ("attached", first_position(DAY))
    assert listed[NAME]["detached_from"] == datetime(2031, 3, 19, tzinfo=UTC)
    assert listed[NAME]["dropped_from"] == datetime(2031, 3, 20, tzinfo=UTC)
    assert listed[partition_name(LATER.date())]["held_back_by"] == "rows are still written to it"
    assert listed[partition_name(DAY + timedelta(days=1))]["state"] == "detached by hand"
    assert listed[partition_name(DAY + timedelta(days=1))]["dropped_from"] is None
    with running(settings, "outbox", "partitions", "--json") as process:
        code, printed = await asyncio.to_thread(process.finish)
    assert (code, {json.loads(line)["name"] for line in printed.splitlines()}) == (0, set(listed))


async def test_check_of_a_large_day_reads_little_while_everybody_waits(outbox: Database) -> None:
    await write_rows(outbox, "a", [1])
    await execute(
        outbox,
        "INSERT INTO outbox (time, slot, event_id, topic, key, type, source, body)"
        " SELECT now(), n % 1024, gen_random_uuid(), 't', 'k', 't', 's', decode(repeat('00', 100), 'hex')"
        " FROM generate_series(1, 60000) n",
    )
    await publish(outbox)
    await jump(outbox)
    await execute(outbox, f"ANALYZE {NAME}")
    async with outbox.engine.connect() as connection:
        before = await blocks_read(connection)
        assert await find_obstacle(connection, DAY, recorded_before=LATER) is None
        assert await blocks_read(connection) - before < 100  # of some 1,500


async def blocks_read(connection: AsyncConnection) -> int:
    """Count the blocks of the day's table that this transaction touched, and of its indexes."""
    query = text("SELECT pg_stat_get_xact_blocks_fetched(oid) FROM pg_class WHERE relname LIKE :pattern")
    return sum(await connection.scalars(query, {"pattern": f"{NAME}%"}))
