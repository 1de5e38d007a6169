"""The relay as it runs: until it is stopped, whatever becomes of its connection."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from db.database import Database
from outbox.lease import Lease
from outbox.relay import Relay
from outbox.wake import Wake
from outbox.wire import Record
from tests.relaying import RecordingPublisher, execute, write_rows


async def test_relay_runs_until_it_is_stopped_and_leaves_the_lease_free(database: Database) -> None:
    publisher, wake = RecordingPublisher(), Wake()
    leases = [Lease(database=database, name="relay-0") for _ in range(2)]
    relay = Relay(database=database, publisher=publisher, lease=leases[0], wake=wake, poll_most_seconds=60)
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run())
        await write_rows(database, "a", [1])
        await publisher.wait_until(lambda records: len(records) == 1)
        assert not await leases[1].acquire_once()
        await write_rows(database, "a", [2])
        wake.set()
        await publisher.wait_until(lambda records: len(records) == 2)
        relay.stop()
        relay.stop()
    assert await leases[1].acquire_once()


async def test_running_relay_goes_on_after_its_connection_was_killed(database: Database) -> None:
    killed = asyncio.Event()

    async def kill_backends(_: Sequence[Record]) -> None:
        if not killed.is_set():
            killed.set()
            await execute(
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )

    publisher = RecordingPublisher(after=kill_backends)
    lease = Lease(database=database, name="relay-0")
    relay = Relay(database=database, publisher=publisher, lease=lease, backoff_first_seconds=0.001)
    await write_rows(database, "a", [1, 2])
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run())
        await publisher.wait_until(lambda records: len(records) >= 4)
        await write_rows(database, "a", [3])
        await publisher.wait_until(lambda _: len(set(publisher.positions)) == 3)
        relay.stop()
    assert publisher.positions[:4] == publisher.positions[:2] * 2


@pytest.mark.parametrize("hides_it", [OSError("broken off"), None])
async def test_relay_leaves_when_it_is_cancelled_though_what_it_waits_for_swallows_that(
    database: Database, hides_it: OSError | None
) -> None:
    """As a group of tasks does that ends with errors, and `asyncio.wait_for` that is done just then."""
    is_waiting = asyncio.Event()

    async def swallow(_: Sequence[Record]) -> None:
        is_waiting.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if hides_it is not None:
            raise hides_it

    publisher = RecordingPublisher(before=swallow)
    relay = Relay(database=database, publisher=publisher, lease=Lease(database=database, name="relay-0"))
    await write_rows(database, "a", [1])
    running = asyncio.create_task(relay.run())
    await is_waiting.wait()
    running.cancel()

    done, _ = await asyncio.wait([running], timeout=10)
    if not done:
        running.cancel()
    assert done
    assert running.cancelled()
