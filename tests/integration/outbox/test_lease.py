"""The lease: one holder at a time, an epoch for each taking, and a holder that notices its loss."""

import asyncio
import logging

import pytest

from db.database import Database
from outbox.errors import LeaseLostError
from outbox.lease import Lease
from outbox.relay import Relay
from tests.relaying import Noted, RecordingPublisher, execute, write_rows

EXPIRE = "UPDATE leases SET expires_at = clock_timestamp() - interval '1 s'"


def candidate(database: Database, *, ttl_seconds: float = 10, renew_seconds: float = 3) -> Lease:
    return Lease(database=database, name="relay-0", ttl_seconds=ttl_seconds, renew_seconds=renew_seconds)


async def test_one_of_many_candidates_gets_it(database: Database) -> None:
    candidates = [candidate(database) for _ in range(8)]
    taken = await asyncio.gather(*(each.acquire_once() for each in candidates))
    assert sorted(taken) == [False] * 7 + [True]
    assert [each.is_held for each in candidates] == taken


async def test_expired_lease_goes_to_a_standby_in_a_new_epoch(database: Database) -> None:
    old, new = candidate(database), candidate(database)
    assert await old.acquire_once()
    assert not await new.acquire_once()
    await execute(database, EXPIRE)

    assert await new.acquire_once()

    assert new.epoch == old.epoch + 1
    with pytest.raises(LeaseLostError):
        await old.renew_once()
    assert not old.is_held
    assert not await old.acquire_once()


async def test_renewal_keeps_an_expired_lease_that_nobody_took(database: Database) -> None:
    lease = candidate(database)
    await lease.acquire_once()
    await execute(database, EXPIRE)
    await lease.renew_once()
    assert not await candidate(database).acquire_once()
    assert lease.epoch == 1


async def test_released_lease_is_free_at_once(database: Database) -> None:
    old, new = candidate(database), candidate(database)
    await old.acquire_once()
    await old.release()
    await old.release()
    assert await new.acquire_once()
    await old.release()
    await new.renew_once()


async def test_holder_notices_by_its_own_clock_that_its_time_is_over(database: Database) -> None:
    lease = candidate(database, ttl_seconds=0)
    assert await lease.acquire_once()
    with pytest.raises(LeaseLostError):
        _ = lease.epoch


async def test_taking_it_again_starts_an_epoch_that_fences_the_own_past(database: Database) -> None:
    lease = candidate(database)
    await lease.acquire_once()
    await lease.acquire_once()
    assert lease.epoch == 2


async def test_running_relay_gives_way_to_who_took_its_lease_and_stands_by(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    follows = Noted("relay follows")
    monkeypatch.setattr(logging.getLogger("squad.relay"), "handlers", [follows])
    publisher = RecordingPublisher()
    relay = Relay(database=database, publisher=publisher, lease=candidate(database, renew_seconds=0.02))
    async with asyncio.TaskGroup() as group, asyncio.timeout(20):
        group.create_task(relay.run())
        await write_rows(database, "a", [1])
        await publisher.wait_until(lambda records: len(records) == 1)
        await execute(
            database,
            "WITH taken AS (UPDATE leases SET holder = 'rival', epoch = 2) UPDATE relay_cursors SET epoch = 2",
        )
        await follows.event.wait()
        await write_rows(database, "a", [2])
        assert len(set(publisher.positions)) == 1

        await execute(database, EXPIRE)
        await publisher.wait_until(lambda _: len(set(publisher.positions)) == 2)
        relay.stop()
