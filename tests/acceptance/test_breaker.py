"""A flood of bad records on a real broker: stopped, reset by an operator, reset by a restart."""

import pytest

from app import broker
from app.settings import Settings
from db import controls
from db.database import Database
from tests.acceptance.conftest import eventually, send
from tests.acceptance.test_consuming import assert_one_effect_each, decided, rows
from tests.acceptance.test_undecodable import of_partition
from tests.inside import process_inside

LIMIT = 5


async def send_bad(settings: Settings, partition: int, count: int) -> None:
    async with broker.open_producer(settings) as producer:
        for _ in range(count):
            await producer.send_and_wait(settings.topic("commands"), b"{", partition=partition)


async def send_flood(settings: Settings) -> None:
    """Send twelve bad records among five good ones of a partition, and twenty good ones to others."""
    await send(settings, of_partition(1, 3))
    await send_bad(settings, 1, 12)
    await send(settings, of_partition(1, 2))
    for number in (0, 2):
        await send(settings, of_partition(number, 10))


async def letters(database: Database) -> int:
    [(count,)] = await rows(database, "SELECT count(*) FROM dead_letters")
    return int(count)


async def checkpoint(database: Database, partition: int) -> int:
    [(offset,)] = await rows(database, f"SELECT next_offset FROM checkpoints WHERE partition = {partition}")
    return int(offset)


@pytest.mark.real_kafka("topics whose partitions are chosen")
async def test_flood_stops_its_partition_until_a_reset_or_a_restart(service: Settings, database: Database) -> None:
    quick = service.model_copy(
        update={
            "breaker_consecutive_records": LIMIT,
            "controls_interval_seconds": 0.05,
            "heartbeat_interval_seconds": 0.1,
        }
    )
    name = f"{service.topic('commands')}[1]"
    await send_flood(service)

    async with process_inside(quick, "consumer") as process:

        async def is_stopped() -> bool:
            return name in process.describe["stopped"]()

        await eventually("it is stopped", is_stopped)
        await eventually("others are decided", lambda: decided(database, 23))
        assert process.describe["stopped"]()[name].startswith(
            "the record at offset 8 (type unknown, id unknown) is not applied: the breaker is open: the last 5 records"
            " in a row became dead letters"
        )
        assert (await letters(database), await checkpoint(database, 1)) == (LIMIT, 8)
        assert list(process.describe["breaker"]()["open"]) == [name]
        await send(service, of_partition(0, 5))
        await eventually("others go on", lambda: decided(database, 28))

        async with database.transaction() as session:
            await controls.ask(session, controls.BREAKER, controls.RESET, reason="a test", audited_as="breaker reset")

        async def is_stopped_again() -> bool:
            return await checkpoint(database, 1) == 13 and await is_stopped()

        await eventually("it goes on, up to the limit", is_stopped_again)
        assert await letters(database) == 2 * LIMIT

    async with process_inside(quick, "consumer") as process:
        await eventually("it goes on after a restart", lambda: decided(database, 30))
        assert await letters(database) == 12
        assert process.describe["stopped"]() == {}
    assert await checkpoint(database, 1) == 17
    await assert_one_effect_each(database, 30)
