"""Brokers away for longer than a client is given: the consumer goes on without a human, by that client or another."""

import asyncio
import os
import signal

import pytest

from app.settings import Settings
from stack.local_stack import LocalStack
from tests.acceptance.conftest import eventually
from tests.conftest import BROKER
from tests.faults.actors import Actor, Nursery
from tests.faults.going_on import goes_on
from tests.faults.scenario import Scenario, open_scenario
from tests.faults.servers import own_ground, start_own, why_none

pytestmark = [
    pytest.mark.skipif(bool(why_none()), reason=why_none()),
    pytest.mark.long_faults,
    pytest.mark.timeout(600),
]

IMPATIENT = {"consumer_stall_seconds": 6.0, "request_seconds": 6.0, "rebalance_seconds": 0.5}
AWAY_SECONDS = 20


async def test_broker_killed_or_frozen_for_long_and_back(bare_settings: Settings, nursery: Nursery) -> None:
    async with (
        start_own(kafka_properties=BROKER) as servers,
        own_ground(servers, bare_settings) as own,
        open_scenario(own, nursery, name="broker away for long", seed=91) as run,
    ):
        run.settings = run.settings.model_copy(update=IMPATIENT)
        consumer = await run.start("consumer")
        await run.start("relay")
        await run.register_users()
        async with run.load(rate=60):
            await run.pause(1, 2)
            await be_away(run, servers, consumer)
            await be_frozen(run, servers)
        await run.conclude(drain_seconds=90)


async def be_away(run: Scenario, servers: LocalStack, consumer: Actor) -> None:
    """Kill the broker, and start it again when the consumer has looked for another client in vain."""
    before = servers.pids["kafka"]
    await asyncio.to_thread(servers.kill_kafka)
    await run.pause(AWAY_SECONDS, AWAY_SECONDS + 1)
    await eventually("it knows", lambda: says(consumer, "no broker answers another client either"))
    await asyncio.to_thread(servers.kafka.start)
    run.journal.note("Kafka killed, for long", breaks=1, pid_before=before, pid_after=servers.pids["kafka"])
    await goes_on(run, "consuming", after="the broker was away")


async def be_frozen(run: Scenario, servers: LocalStack) -> None:
    pid = servers.pids["kafka"]
    os.kill(pid, signal.SIGSTOP)
    await run.pause(AWAY_SECONDS, AWAY_SECONDS + 1)
    os.kill(pid, signal.SIGCONT)
    run.journal.note("Kafka frozen, for long", breaks=1, pid=pid)
    await goes_on(run, "consuming", after="the broker was frozen")


async def says(actor: Actor, what: str) -> bool:
    return what in actor.printed
