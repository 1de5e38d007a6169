"""What Kafka may do to producers, consumers and relay under load: nothing is lost, doubled or out of order."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.record.util import calc_crc32c

from app import broker, topic_logs
from app import checkpoints as operated
from app.settings import Settings
from outbox import hold_requests
from tests import making
from tests.acceptance.conftest import eventually
from tests.acceptance.test_undecodable import of_partition
from tests.faults.actors import Nursery
from tests.faults.conftest import Scenarios
from tests.faults.extra import ExtraProducer, extra_producer
from tests.faults.load import Producer
from tests.faults.progress import count_deadlocks
from tests.faults.proxying import before_kafka
from tests.faults.rules import Message
from tests.faults.scenario import Scenario, open_scenario
from tests.judging import without_order_of_outcomes
from tests.making import new_id
from tests.rivals import Arena

pytestmark = pytest.mark.real_kafka("topics that are changed, transactions and groups of several consumers")

LONG = pytest.mark.long_faults


def seeds(first: int) -> list[Any]:
    """Give one seed for the short tier, and more for the long one."""
    return [first, *(pytest.param(first + 100 * number, marks=LONG) for number in range(1, 5))]


@pytest.mark.parametrize("seed", seeds(41))
async def test_partitions_added_under_load(scenario: Scenarios, seed: int) -> None:
    """Keys move, so what becomes of a command cannot be foreseen any more; all else holds."""
    async with scenario(seed=seed) as run:
        watchful = run.settings.model_copy(update={"metadata_max_age_seconds": 0.5})
        await run.start("consumer-1", settings=watchful)
        await run.start("consumer-2", settings=watchful)
        await run.start("relay")
        await run.register_users()
        topic = run.settings.topic("commands")
        async with run.load(rate=300):
            await run.pause(0.5, 1.0)
            foreseen = [len(producer.history.attempts) for producer in run.producers]
            async with broker.open_admin(run.settings) as admin:
                await admin.create_partitions({topic: NewPartitions(6)})
            for producer in run.producers:
                assert isinstance(producer, Producer)
                await producer.know_partitions()
            await run.pause(1.5, 2.0)
        for number, producer in zip(foreseen, run.producers, strict=True):
            for attempt in producer.history.attempts[number:]:
                attempt.expected = None
        ends = await topic_logs.end_offsets(run.settings, topic)
        run.journal.note("partitions added", partitions=len(ends), ends=dict(ends))
        assert len(ends) == 6
        assert all(ends.values()), "every partition has records"
        run.amend(without_order_of_outcomes)
        await run.conclude()


@pytest.mark.parametrize("seed", seeds(42))
async def test_aborted_and_slow_transactions_beside_the_load(scenario: Scenarios, seed: int) -> None:
    """What is aborted is never applied; what is committed late waits, and what is behind it in its partition."""
    async with scenario(seed=seed) as run, extra_producer(run, "extra", transactional_id=new_id()) as extra:
        await run.start("consumer")
        await run.start("relay")
        await run.register_users()
        async with run.load(rate=200):
            for number in range(12):
                registered = [making.register_user() for _ in range(run.chance.randint(1, 8))]
                aborts, open_seconds = number % 2 == 0, run.chance.choice((0, 0, 0.05, 0.4))
                await extra.send_in_transaction(registered, aborts=aborts, open_seconds=open_seconds)
                run.journal.note(
                    f"transaction {'aborted' if aborts else 'committed'}", records=len(registered), open=open_seconds
                )
        await run.conclude()
        statuses = [str(attempt.status) for attempt in extra.history.attempts]
        assert min(statuses.count("ok"), statuses.count("fail")) > 10


async def limit_events(run: Scenario, max_bytes: int) -> None:
    configs = {"max.message.bytes": str(max_bytes)}
    resource = ConfigResource(ConfigResourceType.TOPIC, run.settings.topic("events"), configs=configs)
    async with broker.open_admin(run.settings) as admin:
        await admin.alter_configs([resource])


LARGE = tuple(f"role-{number}" for number in range(90))


async def ask_for_large_squads(extra: ExtraProducer, owner: str) -> None:
    """Make squads whose first event is large, and go on in them; others' squads share their partitions."""
    for _ in range(3):
        squad = new_id()
        await extra.send_all([making.create_squad(owner, squad, roles=LARGE)], expected="applied")
        await extra.send_all([making.create_project(squad) for _ in range(3)], expected="applied")


@pytest.mark.parametrize("refused", ["hold", pytest.param("divert", marks=LONG)])
async def test_events_that_the_broker_finds_too_large_under_load(scenario: Scenarios, refused: str) -> None:
    """They wait with their squads, or go to the dead letters; the other keys go on all the while."""
    async with scenario(seed=43) as run, extra_producer(run, "extra") as extra:
        await run.start("consumer")
        await run.start("relay", settings=run.settings.model_copy(update={"relay_refused_rows": refused}))
        await run.register_users()
        owner = new_id()
        await extra.send_all([making.register_user(owner)], expected="applied")
        await run.until(lambda seen: seen.is_drained, "the owner is there", 30)
        async with run.load(rate=100):
            await limit_events(run, 4000)
            await ask_for_large_squads(extra, owner)
            await run.pause(1.0, 1.5)
        seen = await run.until(lambda seen: seen.is_drained, "everything else is published", 60)
        run.journal.note("the broker refused sizes", held=seen.held)
        assert seen.held == (12 if refused == "hold" else 0)
        await limit_events(run, 1_048_588)
        if refused == "hold":
            await release_all(run)
        verdict = await run.conclude()
        assert verdict.passed
        assert (await run.look()).held == 0


async def release_all(run: Scenario) -> None:
    async with run.database.transaction() as session:
        for hold in await hold_requests.fetch_holds(session, topic=None, key=None, limit=100):
            await hold_requests.request_release(session, position=hold.position, reason="tests")
    await run.until(lambda seen: not seen.held, "what was held is published", 30)


MARK = b"to be spoilt on its way"
SPOILT = MARK.upper()


def with_wrong_checksum(batch: bytearray) -> None:
    """Change what a batch holds, as a bad cable or disk would."""
    place = batch.index(MARK)
    batch[place : place + len(MARK)] = SPOILT


def with_unknown_codec(batch: bytearray) -> None:
    """Say that a batch is compressed in a way that nobody knows, its checksum right: a newer producer's."""
    batch[22] |= 7
    batch[17:21] = calc_crc32c(memoryview(batch)[21:]).to_bytes(4, "big")


def spoiling(change: Callable[[bytearray], None], *, is_over: asyncio.Event, spoilt: list[int]) -> Callable[..., bytes]:
    """Give what changes the record batch (version 2, KIP-98) that holds the mark, whenever it is fetched."""

    def spoil(message: Message, raw: bytes) -> bytes:
        at = raw.find(MARK)
        if message.kind != "Fetch" or message.direction != "answer" or at < 0 or is_over.is_set():
            return raw
        for begin in range(at, -1, -1):
            end = begin + 12 + int.from_bytes(raw[begin + 8 : begin + 12], "big")
            if raw[begin + 16] == 2 and at < end <= len(raw) and begin + 61 < at:
                batch = bytearray(raw[begin:end])
                if calc_crc32c(memoryview(batch)[21:]) == int.from_bytes(batch[17:21], "big"):
                    change(batch)
                    spoilt.append(len(batch))
                    return raw[:begin] + bytes(batch) + raw[end:]
        raise AssertionError("no batch around the mark")

    return spoil


@pytest.mark.parametrize("change", [with_wrong_checksum, pytest.param(with_unknown_codec, marks=LONG)])
async def test_batch_that_cannot_be_decoded_under_load(
    scenario: Scenarios, settings: Settings, change: Callable[[bytearray], None]
) -> None:
    """It stops its partition in front of it, and no other; read again where it can be, nothing is lost."""
    is_over, spoilt = asyncio.Event(), list[int]()
    spoil = spoiling(change, is_over=is_over, spoilt=spoilt)
    async with (
        before_kafka(settings.kafka_bootstrap_servers, spoil=spoil) as (_, through),
        scenario(seed=45) as run,
        extra_producer(run, "extra") as extra,
    ):
        # One lane: the partitions are asked for together, and the other two must not stand still for it.
        unlucky = {"kafka_bootstrap_servers": through, "heartbeat_interval_seconds": 0.3, "lanes": 1}
        consumer = await run.start("consumer", settings=run.settings.model_copy(update=unlucky))
        await run.start("relay")
        await run.register_users()
        [command] = of_partition(1, 1)
        async with run.load(rate=150):
            await run.pause(0.3, 0.6)
            await extra.send_all([replace(command, name=MARK.decode())], expected="applied")
            await eventually("its partition is stopped", lambda: is_stopped(run, 1))
            stood = {each.partition.number: each for each in await operated.fetch(run.settings)}
            await run.pause(0.5, 0.8)
            now = {each.partition.number: each for each in await operated.fetch(run.settings)}
        offset = extra.history.attempts[0].offset
        why = now[1].stopped or ""
        run.journal.note("batch that cannot be decoded", fetched=len(spoilt), why=why)
        assert "cannot be read: " in why
        assert (now[1].next_offset, stood[1].next_offset) == (offset, offset), "everything in front of it is applied"
        assert [number for number, each in now.items() if each.stopped] == [1]
        assert all((now[each].next_offset or 0) > (stood[each].next_offset or 0) for each in (0, 2))
        is_over.set()
        moves = operated.plan(await operated.fetch(run.settings), [1], everything=False, to=str(offset))
        await operated.accept(run.settings, moves, reason="tests")
        await run.conclude()
        assert consumer.code == 0


async def is_stopped(run: Scenario, number: int) -> bool:
    return bool((await operated.fetch(run.settings))[number].stopped)


async def have_readers(run: Scenario, number: int) -> bool:
    readers = {each.reader for each in await operated.fetch(run.settings)} - {None}
    return len(readers) == number


@pytest.mark.parametrize("seed", seeds(44))
async def test_eight_processes_on_fifty_hot_squads(settings: Settings, nursery: Nursery, seed: int) -> None:
    """A careless producer puts everything anywhere, so all eight want the same streams, e-mails and ids at once."""
    arena, chance = Arena(), random.Random(seed)
    own = settings.model_copy(update={"topic_partitions": 8, "heartbeat_interval_seconds": 0.3})
    async with (
        open_scenario(own, nursery, name="eight processes on hot squads", seed=seed) as run,
        extra_producer(run, "extra") as extra,
    ):
        consumers = [await run.start(f"consumer-{number}") for number in range(8)]
        await run.start("relay")
        await run.register_users()
        await extra.send_all(arena.registrations(), expected="applied")
        await run.until(lambda seen: seen.is_drained, "the owners are there", 30)
        await eventually("each has a partition", lambda: have_readers(run, 8))
        sent = []
        for number in range(5):
            shared = arena.sparks(number)
            for partition in range(8):
                given = [*shared, *(("", command) for command in islice(arena.commands(chance), 20))]
                chance.shuffle(given)
                sent += [
                    await extra.send(command, command_id=command_id or None, partition=partition)
                    for command_id, command in given
                ]
        await extra.acknowledge(sent)
        await run.until(lambda seen: seen.is_drained, "all is decided and published", 60)
        run.journal.note("eight consumers on the same streams", deadlocks=await count_deadlocks(run.database))
        run.amend(without_order_of_outcomes)
        await run.conclude()
        assert all(consumer.code == 0 for consumer in consumers)
