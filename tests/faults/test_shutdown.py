"""A process that is told to end does so by its deadline, whatever state broker and database are in, and says how."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final

import pytest

from app.ending import CUT_SECONDS, EXIT_CUT
from tests.acceptance.conftest import eventually
from tests.faults.actors import Actor
from tests.faults.conftest import Scenarios
from tests.faults.rules import Action, Cut, Hole, Rule
from tests.faults.scenario import Scenario
from tests.faults.spans import BATCH, Moment, Moments
from tests.faults.wires import Wire, wired

DEADLINE: Final = {
    "shutdown_seconds": 1.0,
    "consumer_stop_seconds": 0.3,
    "relay_stop_seconds": 0.5,
    "lanes": 1,
}
SPARE_SECONDS: Final = 3.0
"""For a busy machine; the last word is had one second after what is cut."""

ENDLESS: Final = 1_000_000

IN_A_BATCH: Final = Moment(statement="INSERT INTO inbox", direction="request", kind="Bind", action=Hole())

Making = Callable[[Scenario, Wire, Actor | None], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a process meets when it is told to end.

    Args:
        what: in words.
        role: consumer, relay or service.
        make: brings it about, once the process is at work.
        codes: with one of which the process ends.
        starting: whether it is brought about before the process is started.
        twice: whether it is told a second time.
    """

    what: str
    role: str
    make: Making
    codes: Collection[int] = (0,)
    starting: bool = False
    twice: bool = False

    def __str__(self) -> str:
        return f"{self.role}: {self.what}"


def all_of(servers: str, action: Action) -> Making:
    """Cut or swallow everything from now on."""

    async def make(run: Scenario, wire: Wire, _: Actor | None) -> None:
        for proxy in [wire.postgres] if servers == "postgres" else wire.kafka:
            proxy.add(Rule(when=lambda _: True, action=action, times=ENDLESS))
            if isinstance(action, Cut):
                proxy.cut_all()
        await run.pause(0.3, 0.4)

    return make


async def nothing(run: Scenario, _: Wire, __: Actor | None) -> None:
    """All is well."""
    await run.pause(0.1, 0.2)


async def silent_in_a_batch(_: Scenario, wire: Wire, __: Actor | None) -> None:
    """The database swallows what a batch says, and everything after it."""
    moments = wire.postgres.rules[0]
    assert isinstance(moments, Moments)
    moments.is_armed = True
    await within(10, moments.happened.wait())
    await all_of("postgres", Hole())(_, wire, __)


async def silent_while_sending(_: Scenario, wire: Wire, __: Actor | None) -> None:
    """The broker swallows what the relay sends, and everything after it."""
    for proxy in wire.kafka:
        proxy.add(Rule(when=lambda each: each.kind == "Produce", action=Hole(), times=ENDLESS))
    await eventually("a page is being sent", lambda: is_any(proxy.deeds for proxy in wire.kafka), 10)


async def is_any(values: Iterable[object]) -> bool:
    return any(values)


async def within(seconds: float, work: Awaitable[object]) -> None:
    async with asyncio.timeout(seconds):
        await work


async def joining(run: Scenario, _: Wire, __: Actor | None) -> None:
    """A rebalance is under way, and waits for a member that is not there."""
    other = await run.start("consumer-2")
    await run.until_works(other)
    other.send(signal.SIGSTOP)
    await run.start("consumer-3")
    await run.pause(0.6, 0.7)


async def lease_is_anothers(run: Scenario, _: Wire, __: Actor | None) -> None:
    """There is nothing to lead."""
    await run.until_works(await run.start("relay-2"))


SHORT: Final = [
    State(what="database silent at the start", role="service", make=all_of("postgres", Hole()), starting=True),
    State(what="database away at the start", role="service", make=all_of("postgres", Cut()), starting=True),
    State(what="database silent in a batch", role="service", make=silent_in_a_batch, codes={EXIT_CUT}),
    State(what="told twice", role="service", make=silent_in_a_batch, codes={128 + signal.SIGTERM}, twice=True),
    State(what="broker silent while a page is sent", role="service", make=silent_while_sending),
]

LONG: Final = [
    *(
        State(what=f"{server} {what}", role=role, make=all_of(server, action), codes=codes)
        for server, what, action, codes in (
            ("postgres", "away", Cut(), {0}),
            # By chance there is nothing that waits for an answer.
            ("postgres", "silent", Hole(), {0, EXIT_CUT}),
            ("kafka", "away", Cut(), {0}),
            ("kafka", "silent", Hole(), {0}),
        )
        for role in ("consumer", "relay", "service")
    ),
    *(
        State(what="postgres away at the start", role=role, make=all_of("postgres", Cut()), starting=True)
        for role in ("consumer", "relay")
    ),
    State(what="broker silent at the start", role="service", make=all_of("kafka", Hole()), starting=True),
    State(what="all is well", role="service", make=nothing),
    State(what="a rebalance is under way", role="consumer", make=joining),
    State(what="the lease is another's", role="relay", make=lease_is_anothers, starting=True),
]


@asynccontextmanager
async def under_load(scenario: Scenarios, role: str) -> AsyncIterator[Scenario]:
    """Give a run in which what a process does not do itself is done by another; it is judged at the end."""
    async with scenario(seed=81) as run:
        first = await run.start("service")
        await run.register_users()
        await run.until_works(first)
        async with run.load(rate=60):
            if role != "service":
                await run.start({"consumer": "relay", "relay": "consumer"}[role])
            run.excuse(first, "others do its work")
            await first.stop()
            yield run
            # What heals starts the last of each name again, and this one's proxies are gone.
            await run.start(role)
        await run.conclude()


async def end_in(run: Scenario, state: State) -> None:
    """Start a process, bring the state about, and have the process end in it."""
    async with wired(run, state.role, **DEADLINE) as wire:
        wire.postgres.add(Moments(BATCH, [IN_A_BATCH]))
        if state.starting:
            await state.make(run, wire, None)
        actor = await run.start(state.role, settings=wire.settings)
        if state.starting:
            await run.pause(0.5, 0.6)
        else:
            await run.until_works(actor)
            await state.make(run, wire, actor)
        began = monotonic()
        actor.send(signal.SIGTERM)
        if state.twice:
            await run.pause(0.1, 0.2)
            actor.send(signal.SIGTERM)
        code = await actor.wait(DEADLINE["shutdown_seconds"] + CUT_SECONDS + SPARE_SECONDS)
        seconds = round(monotonic() - began, 2)
        # A relay may be ended between a page and its cursor, and what the wires do to a service's is not counted.
        run.journal.note(f"told to end: {state}", breaks=int(state.role != "consumer"), code=code, seconds=seconds)
        if code != 0:
            run.excuse(actor, str(state))
        assert code in state.codes, f"{state}\n{actor.log_tail()}"


async def test_process_told_to_end_does_so_by_its_deadline(scenario: Scenarios) -> None:
    async with under_load(scenario, "service") as run:
        for state in SHORT:
            await end_in(run, state)


@pytest.mark.long_faults
@pytest.mark.parametrize("role", ["consumer", "relay", "service"])
async def test_process_told_to_end_in_any_state_does_so_by_its_deadline(scenario: Scenarios, role: str) -> None:
    async with under_load(scenario, role) as run:
        for state in LONG:
            if state.role == role:
                await end_in(run, state)
