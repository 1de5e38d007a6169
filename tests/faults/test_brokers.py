"""Three brokers, of which some are stopped or killed under load: nothing is lost, doubled or out of order."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from app import broker, topic_logs
from app.settings import Settings
from stack.kafka import KafkaServer
from stack.kafka_cluster import KafkaCluster
from tests.acceptance.conftest import eventually
from tests.conftest import BROKER
from tests.faults.actors import Actor, Nursery
from tests.faults.going_on import how_far
from tests.faults.rules import Hole, Rule
from tests.faults.scenario import Scenario, open_scenario
from tests.faults.servers import own_ground, start_own, why_none
from tests.faults.wires import wired

pytestmark = [
    pytest.mark.skipif(bool(why_none()), reason=why_none()),
    pytest.mark.long_faults,
    pytest.mark.timeout(600),
]

REQUEST_SECONDS = 6.0
"""The shortest that settings allow."""

PROPERTIES = BROKER | {"min.insync.replicas": "2", "default.replication.factor": "3"}


@asynccontextmanager
async def on_three_brokers(
    settings: Settings, nursery: Nursery, *, name: str, seed: int
) -> AsyncIterator[tuple[Scenario, KafkaCluster]]:
    """Give a scenario on brokers of its own."""
    async with (
        start_own(brokers=3, kafka_heap_mib=300, kafka_properties=PROPERTIES) as servers,
        own_ground(servers, settings.model_copy(update={"topic_replication_factor": 3})) as own,
        open_scenario(own, nursery, name=name, seed=seed) as run,
    ):
        assert isinstance(servers.kafka, KafkaCluster)
        yield run, servers.kafka


@asynccontextmanager
async def three_brokers(
    settings: Settings, nursery: Nursery, *, name: str, seed: int
) -> AsyncIterator[tuple[Scenario, KafkaCluster, Actor]]:
    """Give a scenario on brokers of its own, with a consumer and the relay, once its users are registered."""
    async with on_three_brokers(settings, nursery, name=name, seed=seed) as (run, cluster):
        await run.start("consumer")
        relay = await run.start("relay")
        await run.register_users()
        yield run, cluster, relay


async def end_broker(run: Scenario, server: KafkaServer, *, politely: bool) -> None:
    """End a broker, with its process as evidence; each relay loses its connections to it."""
    before = server.pid
    assert before is not None
    await asyncio.to_thread(server.stop if politely else server.kill)
    run.journal.note(
        f"one of three brokers {'stopped' if politely else 'killed'}",
        breaks=sum(actor.lives and actor.role.relays for actor in run.actors),
        broker=server.number,
        pid_before=before,
        gone=server.pid is None,
        **await run.glance(),
    )


async def want_copies(run: Scenario, topic: str, count: int) -> None:
    """Say how many copies of a topic's records must be in step before they are acknowledged."""
    configs = {"min.insync.replicas": str(count)}
    async with broker.open_admin(run.settings) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])


@pytest.mark.parametrize("seed", [51, 52])
async def test_leaders_killed_under_load(bare_settings: Settings, nursery: Nursery, seed: int) -> None:
    async with three_brokers(bare_settings, nursery, name="leaders killed", seed=seed) as (run, cluster, _):
        async with run.load():
            for _ in range(6):
                await run.pause(0.5, 1.5)
                server = run.chance.choice(cluster.brokers)
                await end_broker(run, server, politely=False)
                await run.pause(1.0, 5.0)
                await asyncio.to_thread(server.start)
                await asyncio.to_thread(cluster.wait_until_whole)
        await run.conclude(drain_seconds=90)


async def published(run: Scenario, topic: Literal["events", "outcomes"] = "events") -> int:
    """Give how many records are on a topic."""
    return sum((await topic_logs.end_offsets(run.settings, run.settings.topic(topic))).values())


async def wait_until_more_is_published(run: Scenario, seconds: float) -> None:
    """Wait for events beyond those that are there now."""
    before = await published(run)

    async def is_more() -> bool:
        return await published(run) > before

    await eventually("an event is published", is_more, seconds)


def places_of(relay: Actor) -> list[str]:
    """Give the partitions of which a relay said that they take nothing, and why."""
    return re.findall(r"kafka takes nothing place=(\S+ error=\S+)", relay.printed)


async def test_brokers_stopped_one_after_the_other_and_brought_back(bare_settings: Settings, nursery: Nursery) -> None:
    """With one gone all goes on; with too few copies in step a topic waits and others go on; nothing is lost."""
    async with three_brokers(bare_settings, nursery, name="brokers stopped", seed=53) as (run, cluster, relay):
        events = run.settings.topic("events")
        first, second, _ = cluster.brokers
        async with run.load(rate=50):
            await end_broker(run, first, politely=True)
            await wait_until_more_is_published(run, 60)

            await want_copies(run, events, 3)
            await run.pause(15, 17)
            stands, outcomes = await published(run), await published(run, "outcomes")
            await run.pause(3, 4)
            assert await published(run) == stands, "not enough copies were in step"
            assert await published(run, "outcomes") > outcomes, "they wait for nothing"
            assert relay.lives
            said = places_of(relay)
            assert len(said) == len(set(said)), "each is told once"
            assert {each for each in said if not each.startswith(f"{events}[")} == set()
            assert {each.partition(" error=")[2] for each in said} == {"NOT_ENOUGH_REPLICAS"}
            run.journal.note("too few replicas for the events", published=stands, said=len(said))
            await want_copies(run, events, 2)
            await wait_until_more_is_published(run, 60)

            await end_broker(run, second, politely=True)
            await run.pause(8, 10)
            assert all(actor.lives for actor in run.actors), "they wait"
            run.journal.note("two of three brokers are gone", said=len(places_of(relay)) - len(said))
            await asyncio.to_thread(cluster.start)
            await wait_until_more_is_published(run, 60)
        await run.conclude(drain_seconds=90)


async def leaders_and_coordinator(run: Scenario) -> tuple[dict[int, int], int]:
    """Give the leader of each partition of the commands, and the broker that keeps the group."""
    async with broker.open_admin(run.settings) as admin:
        [topic] = await admin.describe_topics([run.settings.topic("commands")])
        coordinator = await admin.find_coordinator(run.settings.consumer_group)
    return {each["partition"]: each["leader"] for each in topic["partitions"]}, coordinator


@pytest.mark.parametrize("begins", [False, True])
async def test_black_hole_before_one_broker_keeps_nobody_from_what_the_others_lead(
    bare_settings: Settings, nursery: Nursery, *, begins: bool
) -> None:
    """The client has one lock for all connecting: whoever asks the silent broker must give up, or all wait with it.

    A consumer that begins meanwhile asks each broker where its partitions begin and end, and may wait for none of them.
    """
    quick = {"rebalance_seconds": 0.5, "request_seconds": REQUEST_SECONDS}
    async with (
        on_three_brokers(bare_settings, nursery, name="a silent broker", seed=54 + begins) as (run, _),
        wired(run, "consumer", **quick) as wire,
    ):
        consumer = await run.start("consumer", settings=wire.settings)
        await run.start("relay")
        await run.register_users()
        leaders, coordinator = await leaders_and_coordinator(run)
        silent = next(each for each in leaders.values() if each != coordinator)
        async with run.load():
            hole = Rule(when=lambda _: True, action=Hole(), times=1_000_000)
            wire.kafka[silent - 1].add(hole)
            # Whoever is connected needs the lock no more.
            for proxy in wire.kafka:
                proxy.cut_all()
            if begins:
                await consumer.stop()
                await run.start("consumer", settings=wire.settings)
            # Longer than what was fetched lasts, and than a request may take.
            await run.pause(2 * REQUEST_SECONDS, 2 * REQUEST_SECONDS + 1)
            before = await how_far(run, "consuming")
            led_by_others = {partition for partition, leader in leaders.items() if leader != silent}

            async def are_further() -> bool:
                now = await how_far(run, "consuming")
                return all(now[each] > before[each] for each in led_by_others)

            # One that begins asks a broker at random each time, and may meet the silent one time and again.
            await eventually("what the others lead goes on", are_further, seconds=(5 + 10 * begins) * REQUEST_SECONDS)
            now = await how_far(run, "consuming")
            run.journal.note(
                "a broker silent, what the others lead goes on",
                broker=silent,
                further={partition: now[partition] - before[partition] for partition in leaders},
            )
            assert all(now[each] == before[each] for each in leaders.keys() - led_by_others), "it is silent"
            wire.kafka[silent - 1].heal()
        await run.conclude(drain_seconds=90)
