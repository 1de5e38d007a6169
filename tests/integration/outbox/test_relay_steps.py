"""The relay stepped by hand: what is written when, fencing, and what a death in the middle leaves behind."""

import asyncio
import logging
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from db.database import Database
from outbox.connection import own_connection, transaction_on
from outbox.errors import InRecoveryError, LeaseLostError, MissingCursorError, WrongClusterError
from outbox.lease import Lease
from outbox.relay import Relay
from outbox.wire import Record
from tests.relaying import (
    DisturbedError,
    Noted,
    RecordingPublisher,
    append_rows,
    execute,
    fetch_cursor,
    leading_relay,
    write_rows,
)


async def test_idle_pass_writes_nothing(database: Database) -> None:
    await write_rows(database, "a", [1, 2, 3])
    async with leading_relay(database, RecordingPublisher()) as relay:
        assert await relay.pass_once() == 3
        async with database.sessions() as session:
            written = text("SELECT xmin::text, ctid::text FROM relay_cursors")
            before = (await session.execute(written)).one()
            assert [await relay.relay_batch() for _ in range(5)] == [0] * 5
            assert (await session.execute(written)).one() == before


async def test_each_statement_of_a_reader_is_a_transaction_of_its_own(database: Database) -> None:
    """A snapshot that is taken in a transaction with an id of its own counts that one as over."""
    await write_rows(database, "a", range(1, 6))
    async with leading_relay(database, RecordingPublisher(), page_rows=2) as relay:
        for _ in range(4):
            await relay.relay_batch()
            assert relay._pages._reader is not None
            pid = (await relay._pages._reader._connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with database.sessions() as session:
                state = await session.scalar(text("SELECT state FROM pg_stat_activity WHERE pid = :pid"), {"pid": pid})
            assert state == "idle", "and not idle in transaction"


async def test_seeing_what_is_new_may_take_longer_than_other_statements(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hurried = Database(url=database_url, statement_timeout_seconds=0.2, lock_timeout_seconds=20)
    is_patient = Noted("much is new")
    monkeypatch.setattr(logging.getLogger("squad.relay"), "handlers", [is_patient])
    caplog.set_level(logging.INFO, "squad.relay")
    await write_rows(hurried, "a", [1])
    async with leading_relay(hurried, RecordingPublisher()) as relay, asyncio.timeout(20):
        assert await relay.pass_once() == 1
        await write_rows(hurried, "a", [2])
        async with hurried.sessions() as session:
            await session.execute(text("LOCK TABLE outbox"))
            passing = asyncio.ensure_future(relay.pass_once())
            await is_patient.event.wait()
            await session.commit()
        assert await passing == 1
        assert relay._pages._reader is not None
        assert await relay._pages._reader._connection.scalar(text("SHOW statement_timeout")) == "200ms"
    await hurried.close()


async def test_row_that_commits_late_is_published_after_later_positions(database: Database) -> None:
    publisher = RecordingPublisher()
    async with leading_relay(database, publisher) as relay, database.sessions() as late:
        await append_rows(late, "late", [1])
        await write_rows(database, "a", [1, 2])
        assert await relay.pass_once() == 2
        assert await relay.pass_once() == 0
        await write_rows(database, "a", [3])
        assert await relay.pass_once() == 1
        await late.commit()

        assert await relay.pass_once() == 1

    keys = [(record.key, record.position) for record in publisher.records]
    assert keys[-1] == (b"late", min(publisher.positions))


async def test_row_that_commits_between_the_pages_waits_for_the_next_window(database: Database) -> None:
    publisher = RecordingPublisher()
    async with database.sessions() as late:
        await write_rows(database, "a", range(1, 7))
        await append_rows(late, "late", [1])
        await write_rows(database, "a", range(7, 10))
        async with leading_relay(database, RecordingPublisher(), page_rows=4) as relay:
            assert await relay.relay_batch() == 4
        await late.commit()
        # Another relay, because the first had read ahead. The late row counts for the bound of its page.
        async with leading_relay(database, publisher, page_rows=4) as relay:
            assert [await relay.relay_batch() for _ in range(3)] == [3, 2, 1]
            assert [record.key for record in publisher.records] == [b"a"] * 5 + [b"late"]


async def test_relay_that_dies_after_publishing_repeats_the_same_and_loses_nothing(database: Database) -> None:
    deaths = iter([True, False, True, False])

    async def die(_: Sequence[Record]) -> None:
        if next(deaths, False):
            raise DisturbedError

    publisher = RecordingPublisher(after=die)
    await write_rows(database, "a", range(1, 8))
    async with leading_relay(database, publisher, page_rows=3) as relay:
        with pytest.raises(DisturbedError):
            await relay.relay_batch()
        assert (await fetch_cursor(database))["current"] is None
        assert await relay.relay_batch() == 3
        with pytest.raises(DisturbedError):
            await relay.relay_batch()
        assert await relay.pass_once() == 4

    sequences = [int(dict(record.headers())["ce_sequence"] or b"") for record in publisher.records]
    assert sequences == [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6, 7]
    seen: dict[int, tuple[object, ...]] = {}
    for record in publisher.records:
        wire = (record.topic, record.key, record.value, record.headers())
        assert seen.setdefault(record.position, wire) == wire


async def test_cursor_goes_to_another_relay_in_the_middle_of_a_window(database: Database) -> None:
    first, second = RecordingPublisher(), RecordingPublisher()
    await write_rows(database, "a", range(1, 10))
    async with leading_relay(database, first, page_rows=4) as relay:
        await relay.relay_batch()
    await write_rows(database, "b", [1])
    async with leading_relay(database, second, page_rows=100) as relay:
        assert await relay.pass_once() == 5
        assert await relay.pass_once() == 1

    assert len(set(first.positions) | set(second.positions)) == len(first.positions + second.positions) == 10


async def test_paused_holder_cannot_move_the_cursor_of_its_successor(database: Database) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def pause(_: Sequence[Record]) -> None:
        reached.set()
        await go_on.wait()

    await write_rows(database, "a", range(1, 8))
    successor = RecordingPublisher()
    async with leading_relay(database, RecordingPublisher(after=pause), page_rows=3) as paused:
        paused_pass = asyncio.ensure_future(paused.relay_batch())
        await reached.wait()
        async with leading_relay(database, successor, page_rows=100) as relay:
            assert await relay.pass_once() == 7
            cursor = await fetch_cursor(database)
            go_on.set()
            with pytest.raises(LeaseLostError):
                await paused_pass
            assert await fetch_cursor(database) == cursor
            with pytest.raises(LeaseLostError):
                await paused.relay_batch()


async def test_relay_without_its_lease_publishes_nothing(database: Database) -> None:
    publisher = RecordingPublisher()
    await write_rows(database, "a", [1])
    lease = Lease(database=database, name="relay-0", ttl_seconds=0)
    await lease.acquire_once()
    relay = Relay(database=database, publisher=publisher, lease=lease)

    with pytest.raises(LeaseLostError):
        await relay.relay_batch()

    assert publisher.records == []


async def test_pages_are_bounded_in_bytes(database: Database) -> None:
    publisher = RecordingPublisher()
    await write_rows(database, "a", range(1, 11), body_bytes=400)
    async with leading_relay(database, publisher, page_bytes=1000) as relay:
        pages = [await relay.relay_batch() for _ in range(4)]
        large = [await relay.relay_batch()]
        await write_rows(database, "a", [11], body_bytes=5000)
        large.append(await relay.relay_batch())

    assert (pages, large) == ([3, 3, 3, 1], [0, 1])
    assert publisher.positions == sorted(publisher.positions)


async def test_shard_publishes_its_slots_only(database: Database) -> None:
    await execute(database, "UPDATE relay_cursors SET slot_from = 0, slot_to = 511")
    for number in range(40):
        await write_rows(database, f"key-{number}", [1, 2])
    async with database.sessions() as session:
        mine = set(await session.scalars(text("SELECT position FROM outbox WHERE slot < 512")))
    assert 0 < len(mine) < 80
    for page_rows in (3, 1000):
        publisher = RecordingPublisher()
        await execute(database, "UPDATE relay_cursors SET previous = '3:3:', current = NULL, high = NULL")
        async with leading_relay(database, publisher, page_rows=page_rows) as relay:
            await relay.pass_once()
        assert publisher.positions == sorted(mine)


async def test_cursor_of_another_cluster_is_refused(database: Database) -> None:
    publisher = RecordingPublisher()
    await write_rows(database, "a", [1])
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
        await execute(database, "UPDATE relay_cursors SET system_identifier = 4711")
        await relay.close()
        with pytest.raises(WrongClusterError, match="system identifier 4711 is now"):
            await relay.relay_batch()
        await execute(database, "DELETE FROM relay_cursors")
        with pytest.raises(MissingCursorError):
            await relay.relay_batch()


async def test_standby_is_refused(database: Database) -> None:
    await write_rows(database, "a", [1])
    await execute(database, "CREATE FUNCTION public.pg_is_in_recovery() RETURNS boolean RETURN true")
    await execute(
        database,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());"
        " END $$",
    )
    await database.close()
    publisher = RecordingPublisher()
    async with leading_relay(database, publisher) as relay:
        with pytest.raises(InRecoveryError):
            await relay.relay_batch()
    assert publisher.records == []


async def test_transaction_of_the_relay_ends_where_nobody_ends_it(database: Database) -> None:
    """A relay that is stopped in the middle of a statement's messages would keep the cursor from its successor."""
    limit = text("SELECT current_setting('transaction_timeout', true)")
    async with own_connection(database) as connection:
        if int(str(await connection.scalar(text("SHOW server_version_num")))) < 170000:
            pytest.skip("PostgreSQL has no such timeout before 17")
        async with transaction_on(connection):
            assert await connection.scalar(limit) == "1min"
        # What is new may take longer to be seen.
        assert await connection.scalar(limit) == "0"
