"""A network that swallows what it is given, or is slow: every wait ends, nothing is lost, doubled or out of order."""

import asyncio
from collections.abc import Sequence
from typing import Final

import pytest

from tests.acceptance.conftest import eventually
from tests.faults.actors import Actor
from tests.faults.conftest import Scenarios
from tests.faults.framing import Direction
from tests.faults.going_on import PATIENCE_SECONDS, What, goes_on
from tests.faults.rules import Hole, Rule
from tests.faults.scenario import Scenario
from tests.faults.spans import BATCH, PAGE, Moment, Moments
from tests.faults.wires import Wire, wired

IMPATIENT = {
    "statement_timeout_seconds": 1.0,
    "answer_spare_seconds": 0.5,
    "lock_timeout_seconds": 0.5,
    "outbox_lock_timeout_seconds": 0.5,
    "idle_in_transaction_timeout_seconds": 1.0,
    "database_connect_timeout_seconds": 1.0,
    "backoff_most_seconds": 0.2,
    "relay_request_timeout_seconds": 1.0,
    "relay_batch_timeout_seconds": 1.5,
    # With one lane, a batch that hangs is all there is: whatever goes on does so because it is free again.
    "lanes": 1,
}

PAGE_ROWS = 10
"""Few, so that a page too many of repeats shows."""

IN_A_BATCH = [
    Moment(statement="COMMIT;", direction="request", kind="Query", action=Hole(swallows=["answer"])),
    Moment(statement="INSERT INTO inbox", direction="request", kind="Bind", action=Hole(swallows=["request"])),
    Moment(statement="INSERT INTO outbox", direction="answer", kind="CommandComplete", action=Hole()),
]
"""Committed, but nobody hears of it; never asked, while locks are held; and neither way."""

WAYS: Final[tuple[Direction, ...]] = ("request", "answer")

IN_A_PAGE = [
    Moment(statement="position + 0", direction="answer", kind="CommandComplete", action=Hole(swallows=["answer"])),
    Moment(statement="SET previous = CAST", direction="request", kind="Bind", action=Hole()),
]
"""What is new, and that it is published; the lease, on another connection, is renewed all the while."""


async def test_black_holes_and_delays_end_and_lose_nothing(scenario: Scenarios) -> None:
    async with scenario(seed=21) as run:
        run.settings = run.settings.model_copy(update={"relay_page_max_rows": PAGE_ROWS})
        async with wired(run, "consumer", **IMPATIENT) as consumer, wired(run, "relay", **IMPATIENT) as relay:
            await run_with_holes(run, consumer, relay)


@pytest.mark.long_faults
async def test_black_holes_between_consumer_and_kafka_end_and_lose_nothing(scenario: Scenarios) -> None:
    """What it asks for and what it is given; a request may take six seconds, the shortest that settings allow."""
    quick = {**IMPATIENT, "rebalance_seconds": 0.5, "request_seconds": 6.0}
    async with scenario(seed=22) as run, wired(run, "consumer", **quick) as consumer:
        await run.start("consumer", settings=consumer.settings)
        await run.start("relay")
        await run.register_users()
        async with run.load(rate=60):
            for direction in WAYS:
                hole = swallow("Fetch", direction)
                consumer.kafka[0].add(hole)
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await hole.happened.wait()
                await goes_on(run, "consuming", after=f"a black hole for a {direction} of Fetch")
        await run.conclude()


async def run_with_holes(run: Scenario, consumer: Wire, relay: Wire) -> None:
    batches = [Moments(BATCH, [each]) for each in IN_A_BATCH]
    pages = [Moments(PAGE, [each]) for each in IN_A_PAGE]
    consumer.postgres.add(*batches)
    relay.postgres.add(*pages)
    await run.start("consumer", settings=consumer.settings)
    await run.start("relay-1", settings=relay.settings)
    await run.register_users()
    standby = await run.start("relay-2")
    async with run.load(rate=60):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(swallow_one_by_one(run, "consuming", batches))
            tasks.create_task(swallow_relay(run, relay, pages, standby))
        await make_late(run, consumer, relay)
    await run.conclude()


async def swallow_one_by_one(run: Scenario, what: What, holes: Sequence[Moments]) -> None:
    """One hole after another, each once it has gone on after the last."""
    for hole in holes:
        hole.is_armed = True
        async with asyncio.timeout(PATIENCE_SECONDS):
            await hole.happened.wait()
        await goes_on(run, what, after=hole.why)


async def swallow_relay(run: Scenario, relay: Wire, pages: Sequence[Moments], standby: Actor) -> None:
    """First single connections to PostgreSQL and Kafka, then all to PostgreSQL, until another leads."""
    [leader] = [actor for actor in run.actors if actor.role.name == "relay-1"]
    await swallow_one_by_one(run, "relaying", pages)
    for hole in (swallow("Produce", "answer"), swallow("Produce", "request")):
        relay.kafka[0].add(hole)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await hole.happened.wait()
        await goes_on(run, "relaying", after=str(relay.kafka[0].deeds[-1]))
    relay.postgres.add(Rule(when=lambda _: True, action=Hole(), times=1_000_000))
    await run.until(lambda seen: f":{standby.pid}:" in seen.leases["relay-0"], "the standby leads", PATIENCE_SECONDS)
    await goes_on(run, "relaying", after="its leader heard nothing more of the database")
    # It notices by itself, while the hole is there.
    await eventually("the old leader is free", lambda: says(leader, "relay follows", "relay interrupted"))
    relay.postgres.heal()


def swallow(kind: str, direction: Direction) -> Rule:
    """Also what the client tries again by itself, so that the whole batch is unknown."""
    return Rule(
        when=lambda message: (message.kind, message.direction) == (kind, direction),
        action=Hole(swallows=[direction]),
        times=2,
    )


async def says(actor: Actor, *what: str) -> bool:
    return any(each in actor.printed for each in what)


async def make_late(run: Scenario, *wires: Wire) -> None:
    """Delay everything by 50 ms a round trip, for as long as it takes to go on."""
    proxies = [proxy for wire in wires for proxy in (wire.postgres, *wire.kafka)]
    for proxy in proxies:
        proxy.delay_seconds = 0.025
    await goes_on(run, "consuming", after="a delay", every=False)
    await goes_on(run, "relaying", after="a delay")
    for proxy in proxies:
        proxy.delay_seconds = 0
    run.journal.note("delay", pieces=sum(proxy.delayed for proxy in proxies))
