"""A run with faults: a database and topics of its own, load, processes that are hurt, and a judgement.

A test opens a scenario, starts processes, has the users registered, hurts something while there is load, notes in the
journal what it did with the evidence that it happened, and concludes:

    async with scenario(seed=1) as run:
        consumer, relay = await run.start("consumer"), await run.start("relay")
        await run.register_users()
        async with run.load(rate=150):
            await run.pause(0.3, 1.0)
            await run.kill(consumer)              # or: hurt it otherwise, then run.journal.note(…, breaks=…)
            consumer = await run.restart(consumer)
        await run.conclude()

`breaks` counts what may repeat a page: crashes and broken connections of a relay, nothing else. What an injector has to
undo, it gives to `on_heal`. A proxy's address goes to `start(…, settings=run.settings.model_copy(update=…))`.
"""

import asyncio
import pickle
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, time
from typing import Any, Final

from app import broker, wiring
from app.demo.ground import scene_of
from app.settings import Settings
from checker.evidence import Evidence
from checker.faults import Invariant
from checker.gathering import gather
from checker.history import History
from checker.judge import Result, Verdict, judge
from checker.topics import UnfinishedReadError
from tests.faults.actors import Nursery
from tests.faults.load import open_producer
from tests.faults.progress import count_deadlocks
from tests.faults.results import Run, note_run
from tests.faults.stage import Stage

FAULT_SETTINGS: Final[dict[str, object]] = {
    # A killed consumer's partitions are free after so long, and a killed relay's lease.
    "session_seconds": 1.2,
    "heartbeat_seconds": 0.3,
    "lease_seconds": 1.0,
    "lease_renew_seconds": 0.3,
    # Small, so that every fault meets many batches and pages, and a page too many of repeats shows.
    "batch_max_commands": 40,
    "relay_page_max_rows": 60,
    "backoff_most_seconds": 1.0,
    "relay_request_timeout_seconds": 3.0,
    "relay_batch_timeout_seconds": 6.0,
}
"""How the processes of a scenario differ from the tests' others."""


class Scenario(Stage):
    """One run; `open_scenario` gives it.

    Args:
        name: of the run, for the results.
        stage: as `Stage` takes it.
    """

    def __init__(self, *, name: str, **stage: Any) -> None:
        super().__init__(**stage)
        self.name = name
        self.verdict: Verdict | None = None
        self._healers: list[Callable[[], Awaitable[None]]] = []
        self._amendments: list[Callable[[Evidence], Evidence]] = []
        self._began = monotonic()
        self._healed_at: float | None = None

    def on_heal(self, healer: Callable[[], Awaitable[None]]) -> None:
        """Have something done when the faults are over, such as a proxy let through again."""
        self._healers.append(healer)

    async def heal(self) -> None:
        """End all faults: what injectors have to undo, and a process of each name that ever was lives."""
        while self._healers:
            await self._healers.pop()()
        latest = {actor.role.name: actor for actor in self.actors}
        for actor in latest.values():
            if not actor.lives:
                await self.restart(actor)

    async def conclude(self, *, drain_seconds: float = 40, not_promised: Collection[Invariant] = ()) -> Verdict:
        """Heal, drain, send one more command for every key, drain, stop, gather and judge.

        Args:
            drain_seconds: how long each drain may take; what is not drained then is UNKNOWN.
            not_promised: what a fault of this run may break, as docs/faults.md says; it does not count as judged.

        Returns:
            The whole verdict, in which only what is not promised may be broken.

        Raises:
            AssertionError: what is promised does not PASS; with seed, journal and findings, and the evidence is kept.
        """
        verdict = await self._conclude(drain_seconds)
        self.verdict = _disregarding(verdict, not_promised)
        judged = tuple(each.name for each in Invariant if each not in not_promised)
        note_run(self._describe(self.verdict, judged, await count_deadlocks(self.database)))
        if not self.verdict.passed:
            raise AssertionError(self.tell(verdict))
        return verdict

    async def _conclude(self, drain_seconds: float) -> Verdict:
        try:
            await self.heal()
            async with asyncio.timeout(drain_seconds):
                for producer in self.producers:
                    await producer.settle()
            await self.until(lambda seen: seen.is_drained, "drained after the faults", drain_seconds)
            self._healed_at = time()
            for producer in self.producers:
                await producer.send_one_each()
            await self.until(lambda seen: seen.is_drained, "the next command of every key is done", drain_seconds)
            for actor in self.actors:
                await actor.stop()
            verdict = await self.judge()
        except (TimeoutError, UnfinishedReadError) as error:
            return Verdict(result=Result.UNKNOWN, gaps=(str(error) or repr(error),))
        gaps = verdict.gaps + tuple(self.unexplained_ends())
        return replace(verdict, result=Result.UNKNOWN if gaps and verdict.passed else verdict.result, gaps=gaps)

    async def judge(self) -> Verdict:
        """Gather the evidence of a run at rest and judge it."""
        evidence = await self.gather()
        for change in self._amendments:
            evidence = change(evidence)
        (self.directory / "evidence.pickle").write_bytes(pickle.dumps(evidence))
        return judge(evidence)

    async def gather(self) -> Evidence:
        """Gather the evidence as it is now."""
        attempts = [attempt for producer in self.producers for attempt in producer.foreseen()]
        allowed = self.journal.breaks * self.settings.relay_page_max_rows
        return await gather(
            scene_of(self.settings), attempts, repeats_allowed=allowed, healed_at=self._healed_at, seed=self.seed
        )

    def amend(self, change: Callable[[Evidence], Evidence]) -> None:
        """Have the evidence changed before it is judged, such as by records that a fault took from a topic."""
        self._amendments.append(change)

    def tell(self, verdict: Verdict) -> str:
        """Say all there is to say of a run that failed."""
        return "\n".join(
            [
                f"{verdict.result} {self.name} seed={self.seed}; evidence is kept in {self.directory}",
                *verdict.gaps,
                *(f"{each.invariant} ({each.count}): {'; '.join(each.examples)}" for each in verdict.findings),
                "the faults were:",
                str(self.journal),
                *(actor.log_tail() for actor in {actor.role.name: actor for actor in self.actors}.values()),
            ]
        )

    def _describe(self, verdict: Verdict, judged: tuple[str, ...], deadlocks: int | None) -> Run:
        return Run(
            name=self.name,
            seed=self.seed,
            result=verdict.result,
            faults=dict(self.journal.counts),
            broken=tuple(finding.invariant for finding in verdict.findings),
            judged=judged,
            commands=sum(len(producer.history.attempts) for producer in self.producers),
            seconds=round(monotonic() - self._began, 1),
            deadlocks=deadlocks,
        )


def _disregarding(verdict: Verdict, invariants: Collection[Invariant]) -> Verdict:
    """Give a verdict as it is without some of the invariants."""
    findings = tuple(each for each in verdict.findings if each.invariant not in invariants)
    if findings or not verdict.findings:
        return replace(verdict, findings=findings)
    return replace(verdict, result=Result.UNKNOWN if verdict.gaps else Result.PASS, findings=())


@asynccontextmanager
async def open_scenario(
    settings: Settings,
    nursery: Nursery,
    *,
    name: str,
    seed: int,
    producers: int = 2,
    users: int = 10,
    hot_share: float = 0.5,
    session_seconds: float | None = None,
) -> AsyncIterator[Scenario]:
    """Give a scenario, whose processes, topics and clients are gone at the end.

    Args:
        settings: of a migrated database of its own; its topics are made here.
        nursery: starts the processes.
        name: of the run, for the results.
        seed: of everything that is left to chance.
        producers: how many send.
        users: how many each of them has.
        hot_share: of what happens in squads, how much happens in each producer's first few.
        session_seconds: of consumers, where the broker cannot do with those of `FAULT_SETTINGS`.
    """
    session = {} if session_seconds is None else {"session_seconds": session_seconds}
    own = settings.model_copy(update=FAULT_SETTINGS | session)
    directory = Path(tempfile.mkdtemp(prefix="squad-faults-"))
    await broker.create_topics(own)
    async with AsyncExitStack() as resources:
        resources.push_async_callback(broker.delete_topics, own)
        database = await resources.enter_async_context(wiring.open_database(own, pool_size=2))
        scenario = Scenario(name=name, settings=own, seed=seed, nursery=nursery, directory=directory, database=database)
        for number in range(producers):
            file = resources.enter_context((directory / f"history-{number}.jsonl").open("w"))
            scenario.producers.append(
                await resources.enter_async_context(
                    open_producer(
                        own,
                        name=f"producer-{number}",
                        seed=seed * 100 + number,
                        users=users,
                        hot_share=hot_share,
                        history=History(file),
                    )
                )
            )
        try:
            yield scenario
        finally:
            for actor in scenario.actors:
                await actor.kill()
    if scenario.verdict is not None and scenario.verdict.passed:
        shutil.rmtree(directory)
