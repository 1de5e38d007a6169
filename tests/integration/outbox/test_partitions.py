"""Partitions made ahead, and the sequence that jumps into the day's range and never back."""

import asyncio
import logging
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from db.database import Database
from migrations import run as migrations
from outbox.days import LOCK, first_position, partition_name
from outbox.partitions import Partitions
from tests.relaying import Noted, execute, write_rows

TODAY = datetime(2031, 3, 4, 0, 0, 1, tzinfo=UTC)


async def fetch_partitions(database: Database) -> list[str]:
    query = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'outbox'::regclass ORDER BY 1")
    async with database.sessions() as session:
        return list(await session.scalars(query))


async def fetch_positions(database: Database) -> list[int]:
    async with database.sessions() as session:
        return list(await session.scalars(text("SELECT position FROM outbox ORDER BY txid, position")))


async def test_first_maintenance_of_an_empty_database_makes_it_writable(empty_database_url: str) -> None:
    await asyncio.to_thread(migrations.upgrade, empty_database_url)
    database = Database(url=empty_database_url)
    assert await Partitions(database=database, now=lambda: TODAY).maintain_once()
    await write_rows(database, "a", [1])

    expected = [partition_name(TODAY.date() + timedelta(days=ahead)) for ahead in range(4)]
    assert await fetch_partitions(database) == expected == [f"outbox_d2031030{day}" for day in (4, 5, 6, 7)]
    assert await fetch_positions(database) == [(date(2031, 3, 4) - date(1970, 1, 1)).days * 10**10]
    await database.close()


async def test_partitions_have_the_parents_indexes_and_defaults_and_no_leftovers(database: Database) -> None:
    await Partitions(database=database, now=lambda: TODAY).maintain_once()
    name = partition_name(TODAY.date())
    async with database.sessions() as session:
        attached = await session.scalar(
            text(
                "SELECT count(*) FROM pg_inherits WHERE inhparent IN ('pk_outbox'::regclass,"
                " 'ix_outbox_txid_position'::regclass) AND inhrelid IN (SELECT indexrelid FROM pg_index"
                f" WHERE indrelid = '{name}'::regclass)"
            )
        )
        defaults = await session.scalar(text(f"SELECT count(*) FROM pg_attrdef WHERE adrelid = '{name}'::regclass"))
        checks = await session.scalar(
            text(f"SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid = '{name}'::regclass")
        )
    assert (attached, defaults, checks) == (2, 3, 0)


async def test_maintenance_repeated_does_nothing(database: Database) -> None:
    partitions = Partitions(database=database, now=lambda: TODAY)
    await partitions.maintain_once()
    await write_rows(database, "a", [1])
    before = await fetch_partitions(database)

    assert await partitions.maintain_once()
    await write_rows(database, "a", [2])

    assert await fetch_partitions(database) == before
    first = first_position(TODAY.date())
    assert (await fetch_positions(database))[-2:] == [first, first + 1]


async def test_clock_that_goes_back_moves_nothing_back(database: Database) -> None:
    await Partitions(database=database, now=lambda: TODAY).maintain_once()
    await Partitions(database=database, now=lambda: TODAY - timedelta(days=1)).maintain_once()
    await write_rows(database, "a", [1])
    assert await fetch_positions(database) == [first_position(TODAY.date())]


async def test_sequence_waits_until_the_days_table_is_attached(database: Database) -> None:
    """A reader keeps the table from being attached; rows go on into the old day's."""
    partitions = Partitions(database=database, now=lambda: TODAY)
    await partitions.maintain_once()
    tomorrow = TODAY + timedelta(days=30)
    late = Partitions(database=database, now=lambda: tomorrow, lock_timeout_seconds=0.1)
    async with database.sessions() as session:
        await session.execute(text("LOCK TABLE outbox IN SHARE UPDATE EXCLUSIVE MODE"))
        stuck = asyncio.ensure_future(late.run())
        await write_rows(database, "a", [1])
        await session.rollback()
    late.stop()
    await stuck
    positions = await fetch_positions(database)
    assert positions == [first_position(TODAY.date())]


async def test_open_reader_blocks_neither_attaching_nor_the_jump(database: Database) -> None:
    async with database.sessions() as reader:
        await reader.execute(text("SELECT count(*) FROM outbox"))
        assert await Partitions(database=database, now=lambda: TODAY, lock_timeout_seconds=0.2).maintain_once()
        await write_rows(database, "a", [1])
    assert await fetch_positions(database) == [first_position(TODAY.date())]


async def test_second_maintainer_leaves_it_to_the_first(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        assert not await Partitions(database=database, now=lambda: TODAY).maintain_once()
    assert partition_name(TODAY.date()) not in await fetch_partitions(database)


async def test_positions_never_repeat_or_go_back_while_the_day_changes_again_and_again(database: Database) -> None:
    await execute(database, "CREATE TABLE taken (number bigint GENERATED ALWAYS AS IDENTITY, position bigint)")
    insert = text(
        "INSERT INTO taken (position) SELECT nextval('outbox_position') FROM generate_series(1, 20) RETURNING position"
    )
    done = asyncio.Event()

    async def write() -> None:
        last = 0
        while not done.is_set():
            async with database.transaction() as session:
                positions = list(await session.scalars(insert))
            assert last < positions[0], "moved backwards"
            assert positions == sorted(positions)
            last = positions[-1]

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(write())
        for day in range(20):
            partitions = Partitions(database=database, days_ahead=0, now=lambda day=day: TODAY + timedelta(days=day))  # type: ignore[misc]
            await asyncio.gather(partitions.maintain_once(), partitions.maintain_once())
        done.set()

    async with database.sessions() as session:
        repeated = await session.scalar(text("SELECT count(*) - count(DISTINCT position) FROM taken"))
        highest = await session.scalar(text("SELECT max(position) FROM taken"))
    assert repeated == 0
    assert highest >= first_position((TODAY + timedelta(days=19)).date())


async def test_maintenance_goes_on_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = Noted("partitions postponed")
    monkeypatch.setattr(logging.getLogger("squad.relay"), "handlers", [noted])
    partitions = Partitions(database=Database(url="postgresql+asyncpg://nobody@127.0.0.1:1/nothing"))
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(partitions.run())
        await noted.event.wait()
        assert not running.done()
        partitions.stop()
