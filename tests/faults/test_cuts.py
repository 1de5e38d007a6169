"""Connections cut in the middle: nothing is lost, doubled or out of order, and what comes next is done."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest

from tests.faults.conftest import Scenarios
from tests.faults.framing import Direction
from tests.faults.rules import Action, Cut, Rule, Rules
from tests.faults.scenario import Scenario
from tests.faults.spans import BATCH, PAGE, RENEWAL, Moment, Moments, Sweep
from tests.faults.wires import wired

QUICK = {"backoff_first_seconds": 0.02, "backoff_most_seconds": 0.05, "lease_renew_seconds": 0.15}
"""So that hundreds of cuts do not take hundreds of waits."""

PAGE_ROWS = 10
"""Few, so that windows have several pages, and a page too many of repeats shows."""

COMMIT, CURSOR, LEASE = "COMMIT;", "SET previous = CAST", "UPDATE leases"


def around(statement: str, *, first: str, last: str) -> list[Moment]:
    """Before the server has a statement, when it may have it, when it has carried it out, and when it has said so."""
    return [
        Moment(statement=statement, direction="request", kind=first, action=Cut()),
        Moment(statement=statement, direction="request", kind=last, action=Cut(passed="all")),
        Moment(statement=statement, direction="answer", kind="CommandComplete", action=Cut()),
        Moment(statement=statement, direction="answer", kind="ReadyForQuery", action=Cut(how="finish")),
    ]


def each_once(kind: str, direction: Direction, actions: Iterable[Action], *, least_bytes: int = 0) -> list[Rule]:
    """Do each of the actions to a message of a kind."""
    return [
        Rule(
            when=lambda message: (
                (message.kind, message.direction) == (kind, direction) and len(message.raw) >= least_bytes
            ),
            action=action,
        )
        for action in actions
    ]


async def happened(rules: Sequence[Rules], seconds: float) -> None:
    """Wait until all that rules ask for has happened."""
    async with asyncio.timeout(seconds):
        for rule in rules:
            await rule.happened.wait()


async def test_cuts_in_batch_page_and_lease_lose_and_double_nothing(scenario: Scenarios) -> None:
    """Around what decides, COMMIT, cursor and lease; then at every fifth message; then in what Kafka sends and gets."""
    async with scenario(seed=11) as run:
        await run_with_cuts(run, every=5, rate=60, seconds=60)


@pytest.mark.long_faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("warm", [True, False])
async def test_cuts_at_every_message_lose_and_double_nothing(scenario: Scenarios, *, warm: bool) -> None:
    """`warm`: where statements are prepared already; else where connections are new, and prepare them first."""
    async with scenario(seed=12 + warm) as run:
        await run_with_cuts(run, every=1, rate=100, seconds=600, warm=warm)


async def run_with_cuts(run: Scenario, *, every: int, rate: float, seconds: float, warm: bool = True) -> None:
    run.settings = run.settings.model_copy(update={"relay_page_max_rows": PAGE_ROWS})
    decisive = [
        Moments(BATCH, around(COMMIT, first="Query", last="Query")),
        Moments(PAGE, around(CURSOR, first="Bind", last="Sync")),
        Moments(RENEWAL, around(LEASE, first="Bind", last="Sync")),
    ]
    sweeps = [Sweep(kind, every=every, warm=warm) for kind in (BATCH, PAGE, RENEWAL)]
    fetched = each_once(
        "Fetch", "answer", [Cut(passed="half"), Cut(), Cut(passed="half", how="finish")], least_bytes=500
    )
    produced = [
        *each_once(
            "Produce", "request", [Cut(), Cut(passed="half"), Cut(passed="all"), Cut(passed="all", how="finish")]
        ),
        *each_once("Produce", "answer", [Cut(), Cut(passed="half"), Cut(how="finish")]),
    ]
    async with wired(run, "consumer", **QUICK) as consumer, wired(run, "relay", **QUICK) as relay:
        consumer.postgres.add(decisive[0], sweeps[0])
        relay.postgres.add(*decisive[1:], *sweeps[1:])
        await run.start("consumer", settings=consumer.settings)
        await run.start("relay", settings=relay.settings)
        await run.register_users()
        async with run.load(rate=rate):
            for rules in (decisive, sweeps):
                for rule in rules:
                    rule.is_armed = True
                await happened(rules, seconds)
            consumer.kafka[0].add(*fetched)
            relay.kafka[0].add(*produced)
            await happened([*fetched, *produced], seconds)
        await run.conclude()
    assert len(sweeps[0].cuts) > 60 / every
    # So many messages has even the shortest page; how many the longest has depends on what it finds to do.
    assert len(sweeps[1].cuts) > 30 / every
