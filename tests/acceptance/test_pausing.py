"""Paused partitions on a real broker: whoever has them leaves them alone, and nothing is lost or done twice."""

import pytest

from app import wiring
from app.settings import Settings
from consumers.records import Partition
from db import controls
from db.database import Database
from tests.acceptance.conftest import eventually, send
from tests.acceptance.test_consuming import assert_one_effect_each, decided, rows
from tests.acceptance.test_undecodable import of_partition
from tests.inside import process_inside


async def pause(database: Database, target: str) -> None:
    async with database.transaction() as session:
        await controls.pause(session, target, reason="a test")


async def resume(database: Database, target: str) -> None:
    async with database.transaction() as session:
        await controls.resume(session, target, reason="a test")


async def decided_by_partition(database: Database) -> dict[int, int]:
    return dict(await rows(database, "SELECT partition, count(*) FROM inbox GROUP BY partition"))


@pytest.mark.real_kafka("groups of several consumers, and topics whose partitions are chosen")
async def test_pause_of_a_partition_survives_rebalances_and_restarts(service: Settings, database: Database) -> None:
    quick = service.model_copy(update={"controls_interval_seconds": 0.05, "batch_max_commands": 50})
    target = str(Partition(service.topic("commands"), 1))

    async def send_to_all(count: int) -> None:
        for number in range(3):
            await send(service, of_partition(number, count))

    async def paused_by(*processes: wiring.Process) -> bool:
        """Exactly one has the partition and leaves it alone, and all partitions have an owner."""
        paused = [target for each in processes if target in each.describe["paused"]()]
        read = [partition for each in processes for partition in each.describe["positions"]()]
        return paused == [target] and len(set(read)) == len(read) == 2

    async with process_inside(quick, "consumer") as first:
        await send_to_all(20)
        await eventually("all are decided", lambda: decided(database, 60))
        await pause(database, target)
        await eventually("it is paused", lambda: paused_by(first))
        await send_to_all(200)
        await eventually("the others go on", lambda: decided(database, 460))
        async with process_inside(quick, "consumer") as second:
            await eventually("both have partitions", lambda: paused_by(first, second))
            await send_to_all(10)
            await eventually("the others go on again", lambda: decided(database, 480))
        await eventually("the first has all of them back", lambda: paused_by(first))
    # Of what it reads only at its start.
    async with process_inside(quick.model_copy(update={"controls_interval_seconds": 600}), "consumer") as third:
        await eventually("it is paused from the start", lambda: paused_by(third))
        await send_to_all(10)
        await eventually("the others go on after a restart", lambda: decided(database, 500))
        assert await decided_by_partition(database) == {0: 240, 1: 20, 2: 240}
    await resume(database, target)
    async with process_inside(quick, "consumer"):
        await eventually("it goes on where it was", lambda: decided(database, 720))
    await assert_one_effect_each(database, 720)


@pytest.mark.real_kafka("groups of several consumers")
async def test_paused_consumer_keeps_its_place_in_the_group(service: Settings, database: Database) -> None:
    """It takes part in the group's life without a poll: partitions are dealt anew when another one comes and goes."""
    quick = service.model_copy(update={"controls_interval_seconds": 0.05})
    await pause(database, "consumer")
    await send(service, of_partition(0, 50) + of_partition(1, 50) + of_partition(2, 50))

    async def paused(*processes: wiring.Process) -> bool:
        """Each has some, and together they have all."""
        counts = [len(each.describe["paused"]()) for each in processes]
        return all(counts) and sum(counts) == 3

    async with process_inside(quick, "consumer") as first:
        await eventually("it has all partitions", lambda: paused(first))
        async with process_inside(quick, "consumer") as second:
            await eventually("they share the partitions", lambda: paused(first, second))
        await eventually("it has all back", lambda: paused(first))
        assert await decided_by_partition(database) == {}
        await resume(database, "consumer")
        await eventually("all are decided", lambda: decided(database, 150))
    await assert_one_effect_each(database, 150)
