"""The log of the commands is another one, or begins later, than the checkpoints say: exact words, and a way on."""

import re

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from app import broker
from app import checkpoints as operated
from checker.evidence import Place
from tests.acceptance.conftest import eventually
from tests.acceptance.test_checkpoints import make_anew
from tests.acceptance.test_undecodable import of_partition
from tests.faults.conftest import Scenarios
from tests.faults.earlier import forget_unread, read_commands, set_aside, with_deleted
from tests.faults.extra import extra_producer
from tests.faults.scenario import Scenario

pytestmark = pytest.mark.real_kafka("topics that are made, deleted and made again, and records that are deleted")

WATCHFUL = {"metadata_max_age_seconds": 0.5, "heartbeat_interval_seconds": 0.3}


async def stopped(run: Scenario) -> dict[int, str]:
    return {each.partition.number: each.stopped for each in await operated.fetch(run.settings) if each.stopped}


async def are_stopped(run: Scenario, *numbers: int) -> bool:
    return (await stopped(run)).keys() == set(numbers)


async def accept(run: Scenario, *numbers: int) -> None:
    """Do what `squad checkpoints accept … --to earliest` does."""
    standing = await operated.fetch(run.settings)
    moves = operated.plan(standing, numbers, everything=False, to="earliest")
    await operated.accept(run.settings, moves, reason="tests")


async def checkpoints_of(run: Scenario) -> dict[int, int]:
    return {each.partition.number: each.next_offset or 0 for each in await operated.fetch(run.settings)}


@pytest.mark.long_faults
@pytest.mark.parametrize("count", [5, 70])
async def test_topic_made_anew_with_fewer_and_with_more_records(scenario: Scenarios, count: int) -> None:
    """Every partition is stopped, with the count, until an operator says from where; the first log stays applied."""
    async with scenario(seed=46) as run, extra_producer(run, "extra", enable_idempotence=False) as extra:
        watchful = run.settings.model_copy(update=WATCHFUL)
        consumer = await run.start("consumer", settings=watchful)
        await run.start("relay")
        await run.register_users()
        async with run.load(rate=150):
            await run.pause(0.4, 0.6)
        await run.until(lambda seen: seen.is_drained, "the first log is applied", 30)
        before = await checkpoints_of(run)
        assert min(before.values()) > 5
        assert max(before.values()) < 70

        amend = await set_aside(run)
        await consumer.stop()
        await make_anew(run.settings)
        for number in (0, 1, 2):
            await extra.send_all(of_partition(number, count), expected="applied")
        consumer = await run.restart(consumer)
        await eventually("every partition is stopped", lambda: are_stopped(run, 0, 1, 2))
        for number, why in (await stopped(run)).items():
            run.journal.note("topic made anew", partition=number, records=count, checkpoint=before[number], why=why)
            if count < before[number]:
                assert f"is {before[number]}, but the log ends at {count}: it is {before[number] - count} rec" in why
            else:
                assert f"{before[number]} of its {count} records lie before the checkpoint {before[number]}" in why
        assert await checkpoints_of(run) == before
        await accept(run, 0, 1, 2)
        await run.until(lambda seen: seen.is_drained, "the second log is applied", 30)
        async with run.load(rate=150):
            await run.pause(0.4, 0.6)
        run.amend(amend)
        await run.conclude()


async def test_log_that_starts_past_the_checkpoint(scenario: Scenarios) -> None:
    """What nobody read is counted to the record; only that is lost, once it was accepted."""
    async with scenario(seed=47) as run, extra_producer(run, "extra") as extra:
        watchful = run.settings.model_copy(update=WATCHFUL)
        consumer = await run.start("consumer", settings=watchful)
        await run.start("relay")
        await run.register_users()
        async with run.load(rate=150):
            await run.pause(0.4, 0.6)
        await run.until(lambda seen: seen.is_drained, "all is applied", 30)
        await consumer.stop()
        checkpoint = (await checkpoints_of(run))[1]
        await extra.send_all(of_partition(1, 10), expected="applied")
        before = await read_commands(run)
        partition = TopicPartition(run.settings.topic("commands"), 1)
        async with broker.open_admin(run.settings) as admin:
            await admin.delete_records({partition: RecordsToDelete(before_offset=checkpoint + 7)})
        await run.restart(consumer)
        await eventually("its partition is stopped", lambda: are_stopped(run, 1))
        why = (await stopped(run))[1]
        run.journal.note("log starts past the checkpoint", why=why)
        assert re.search(
            rf"checkpoint is {checkpoint}, but the log starts at {checkpoint + 7}: 7 records are gone unread", why
        )
        gone = {Place(1, checkpoint + number) for number in range(7)}
        forget_unread(extra.history.attempts, gone)
        await accept(run, 1)
        async with run.load(rate=150):
            await run.pause(0.4, 0.6)
        run.amend(with_deleted(before, gone))
        await run.conclude()
