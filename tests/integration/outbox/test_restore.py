"""After a restore: noticed, refused, and with a rebase everything is published that may not have been, in order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from db.database import Database
from outbox import rebase as rebasing
from outbox.connection import own_connection
from outbox.errors import LeaseLostError, RestoredError, WrongClusterError
from outbox.rebase import ShardPlan, Since
from outbox.shards import reshard
from outbox.status import fetch_status
from tests.dumping import dump, restore
from tests.relaying import RecordingPublisher, append_rows, execute, fetch_rows, judge, leading_relay, write_rows

KEYS = ["a", "b", "c"]


@asynccontextmanager
async def restored(database: Database, empty_url: str, directory: Path) -> AsyncIterator[Database]:
    """Give a copy of a database, by way of pg_dump and pg_restore."""
    await dump(database.url.render_as_string(hide_password=False), directory / "dump")
    await restore(directory / "dump", empty_url)
    copy = Database(url=empty_url)
    yield copy
    await copy.close()


async def rebase(database: Database, since: Since | None = None) -> list[ShardPlan]:
    async with database.transaction() as session:
        return await rebasing.rebase(session, since or Since(), reason="a test wants it")


async def plan(database: Database, since: Since) -> list[ShardPlan]:
    async with database.sessions() as session:
        return await rebasing.plan(session, since)


async def publish_all(database: Database, publisher: RecordingPublisher, *, page_rows: int = 2000) -> int:
    async with leading_relay(database, publisher, page_rows=page_rows) as relay:
        published = 0
        while settled := await relay.relay_batch():
            published += settled
        return published


def shift_ids(by: int) -> str:
    """Rows and cursor as they would come from a cluster that has begun so many more transactions."""

    def moved(snapshot: str) -> str:
        running = (
            f"SELECT string_agg((x::text::bigint + {by})::text, ',' ORDER BY x) FROM pg_snapshot_xip({snapshot}) x"
        )
        ends = (f"pg_snapshot_{end}({snapshot})::text::bigint + {by}" for end in ("xmin", "xmax"))
        return f"CAST(format('%s:%s:%s', {', '.join(ends)}, ({running})) AS pg_snapshot)"

    return (
        f"UPDATE outbox SET txid = ((txid::text::bigint + {by})::text)::xid8;"
        f"UPDATE relay_cursors SET previous = {moved('previous')}"
    )


async def run_script(database: Database, script: str) -> None:
    for statement in script.split(";"):
        await execute(database, statement)


async def test_copy_by_pg_dump_is_refused_and_after_a_rebase_publishes_what_may_be_missing(
    database: Database, empty_database_url: str, tmp_path: Path
) -> None:
    before = RecordingPublisher()
    async with database.sessions() as late:
        await append_rows(late, "late", [1])
        for key in KEYS:
            await write_rows(database, key, range(1, 11))
        await publish_all(database, before)
        for key in KEYS:
            await write_rows(database, key, range(11, 21))
        await late.commit()
    # In the middle of a window, which begins far back with the late row.
    async with leading_relay(database, before, page_rows=16) as relay:
        for _ in range(3):
            await relay.relay_batch()
    published = set(before.positions)
    unpublished = 61 - len(published)
    assert 0 < unpublished < 30

    async with restored(database, empty_database_url, tmp_path) as copy:
        after = RecordingPublisher()
        # The service is started before anybody looks: its transaction ids are those of this database.
        await write_rows(copy, "a", [21])
        with pytest.raises(WrongClusterError, match=r"database oid .*squad relay rebase"):
            await publish_all(copy, after)
        (planned,) = await plan(copy, Since())
        assert (planned.rows, planned.repeated, planned.left_out) == (unpublished + 1, 0, 0)

        await rebase(copy)
        assert await publish_all(copy, after, page_rows=7) == unpublished + 1
        await write_rows(copy, "a", [22])
        assert await publish_all(copy, after) == 1

        assert published.isdisjoint(after.positions)
        verdict = await judge(copy, before.records + after.records)
        assert (verdict.committed, verdict.lost, verdict.repeated, verdict.disordered) == (63, set(), 0, [])


@pytest.mark.parametrize("by", [10**9, -300], ids=["ids-of-the-future", "ids-of-the-past"])
async def test_rows_of_another_cluster_are_published_once_whatever_their_ids(database: Database, by: int) -> None:
    before, after = RecordingPublisher(), RecordingPublisher()
    async with database.sessions() as late:
        await append_rows(late, "late", [1])
        for key in KEYS:
            await write_rows(database, key, range(1, 11))
        await publish_all(database, before)
        await late.commit()
    for key in KEYS:
        await write_rows(database, key, [11])
    await run_script(database, shift_ids(by))
    await execute(database, "UPDATE relay_cursors SET system_identifier = 4711")
    for key in KEYS:
        await write_rows(database, key, [12])
    with pytest.raises((WrongClusterError, RestoredError)):
        await publish_all(database, after)

    await rebase(database)
    await write_rows(database, "a", [13])
    assert await publish_all(database, after) == 8
    # Ids of the future are gone: they would come up some day.
    (row,) = await fetch_rows(
        database, "SELECT count(*) AS rows FROM outbox WHERE txid >= pg_snapshot_xmax(pg_current_snapshot())"
    )
    assert row.rows == 0

    verdict = await judge(database, before.records + after.records)
    assert (verdict.committed, verdict.lost, verdict.repeated, verdict.disordered) == (38, set(), 0, [])


async def test_rebase_loses_no_row_of_transactions_under_way(database: Database) -> None:
    """Writers that began before it and come after it, one with rows that it has to wait for."""
    publisher = RecordingPublisher()
    await write_rows(database, "a", [1])
    await publish_all(database, publisher)
    await write_rows(database, "a", [2])
    async with database.sessions() as began, database.sessions() as wrote, database.sessions() as held_up:
        await began.execute(text("SELECT pg_current_xact_id()"))
        await append_rows(wrote, "b", [1])
        await held_up.execute(text("SELECT 1 FROM leases FOR UPDATE"))
        rebased = asyncio.ensure_future(rebase(database))
        await wait_for_lock(database, "relation = 'outbox'::regclass")
        await wrote.commit()
        # Its own transaction id is taken now. Another that is later and over makes it one that snapshots show.
        await wait_for_lock(database, "locktype = 'transactionid'")
        await execute(database, "SELECT pg_current_xact_id()")
        await held_up.rollback()
        await rebased
        await append_rows(began, "c", [1])
        await began.commit()
    await write_rows(database, "a", [3])
    await publish_all(database, publisher)

    verdict = await judge(database, publisher.records)
    assert (verdict.committed, verdict.lost, verdict.repeated, verdict.disordered) == (5, set(), 0, [])


async def wait_for_lock(database: Database, which: str) -> None:
    """Wait until somebody waits for a lock."""
    query = f"SELECT 1 FROM pg_locks WHERE {which} AND NOT granted"
    async with asyncio.timeout(20):
        while not await fetch_rows(database, query):  # noqa: ASYNC110 - the server has no event for us
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("UPDATE relay_cursors SET previous = '3:900000000000:'", "its cursor is at transaction 900000000000"),
        ("UPDATE outbox SET txid = '900000000000'", "the outbox has rows of transaction 900000000000"),
    ],
)
async def test_ids_that_are_yet_to_come_are_refused(database: Database, broken: str, said: str) -> None:
    publisher = RecordingPublisher()
    await write_rows(database, "a", [1])
    await publish_all(database, publisher)
    await execute(database, broken)
    with pytest.raises(RestoredError, match=said):
        await publish_all(database, publisher)
    async with own_connection(database) as connection:
        (status,) = await fetch_status(connection)
    assert said in (status.refusal or "")

    await rebase(database)
    await write_rows(database, "a", [2])
    await publish_all(database, publisher)
    assert (await judge(database, publisher.records)).lost == set()


async def test_new_timeline_is_logged_and_not_refused(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    publisher = RecordingPublisher()
    await write_rows(database, "a", [1])
    await publish_all(database, publisher)
    await write_rows(database, "a", [2])
    (cursor,) = await fetch_rows(database, "SELECT timeline FROM relay_cursors")
    assert cursor.timeline == 1
    await execute(database, "UPDATE relay_cursors SET timeline = 7")
    with caplog.at_level(logging.WARNING, logger="squad.relay"):
        assert await publish_all(database, publisher) == 1
        assert await publish_all(database, publisher) == 0
    (line,) = [record.getMessage() for record in caplog.records if "timeline" in record.getMessage()]
    assert "timeline 1" in line
    assert "stays on the topics" in line


Choose = Callable[[Database], Awaitable[Since]]


async def from_position(database: Database) -> Since:
    (row,) = await fetch_rows(database, "SELECT position FROM outbox WHERE sequence = 4")
    return Since(position=row.position)


async def from_time(database: Database) -> Since:
    await execute(database, "UPDATE outbox SET recorded_at = recorded_at + interval '1 hour' WHERE sequence >= 4")
    (row,) = await fetch_rows(database, "SELECT recorded_at FROM outbox WHERE sequence = 4")
    return Since(time=row.recorded_at - timedelta(minutes=1))


async def from_now(_: Database) -> Since:
    return Since(now=True)


@pytest.mark.parametrize(
    ("choose", "rows", "repeated", "left_out"),
    [(from_position, 4, 2, 0), (from_time, 4, 2, 0), (from_now, 0, 0, 2)],
)
async def test_operator_says_from_where_on(
    database: Database, choose: Choose, rows: int, repeated: int, left_out: int
) -> None:
    publisher = RecordingPublisher()
    await write_rows(database, "a", range(1, 6))
    await publish_all(database, publisher)
    await write_rows(database, "a", [6, 7])
    since = await choose(database)
    (planned,) = await plan(database, since)
    assert (planned.rows, planned.repeated, planned.left_out) == (rows, repeated, left_out)
    (noted,) = await fetch_rows(database, "SELECT count(*) AS rows FROM audit")
    assert noted.rows == 0

    assert await rebase(database, since) == [planned]
    again = RecordingPublisher()
    assert await publish_all(database, again) == rows
    (note,) = await fetch_rows(database, "SELECT action, after FROM audit")
    assert (note.action, note.after["shards"][0]["rows"]) == ("relay rebase", rows)


async def test_rebase_fences_the_relay_that_leads_and_serves_every_shard(database: Database) -> None:
    publisher = RecordingPublisher()
    async with database.transaction() as session:
        await reshard(session, count=3, reason="a test wants it")
    for number in range(20):
        await write_rows(database, f"key-{number}", [1, 2])
    async with leading_relay(database, publisher, shard=1) as relay:
        published = await relay.pass_once()
        assert 0 < published < 40
        await rebase(database)
        for number in range(20):
            await write_rows(database, f"key-{number}", [3])
        for _ in range(2):  # with its old connection, then with another and the cursor read anew
            with pytest.raises(LeaseLostError):
                await relay.relay_batch()
    for shard in range(3):
        async with leading_relay(database, publisher, shard=shard) as relay:
            while await relay.relay_batch():
                pass
    verdict = await judge(database, publisher.records)
    assert (verdict.lost, verdict.disordered) == (set(), [])


async def test_sequence_left_behind_by_a_restore_of_rows_is_moved(database: Database) -> None:
    await write_rows(database, "a", [1, 2, 3])
    await execute(database, "SELECT setval('outbox_position', 1)")
    await rebase(database)
    await write_rows(database, "a", [4])
    publisher = RecordingPublisher()
    await publish_all(database, publisher)
    assert (await judge(database, publisher.records)).lost == set()
