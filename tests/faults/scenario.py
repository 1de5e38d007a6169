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
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic, time
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from app import broker, wiring
from app.demo.ground import scene_of
from app.settings import Settings
from checker.evidence import Evidence
from checker.gathering import gather
from checker.history import History
from checker.judge import Result, Verdict, judge
from checker.topics import UnfinishedReadError
from db.database import Database
from tests.acceptance.conftest import environment
from tests.faults.actors import Actor, Nursery, Role
from tests.faults.journal import Journal
from tests.faults.load import Sends, open_producer
from tests.faults.progress import UNREADABLE, Progress, look
from tests.faults.results import Run, note_run

POLL_SECONDS: Final = 0.05
COMMANDS: Final = {
    "consumer": ("consume",),
    "relay": ("relay", "run"),
    "service": ("run",),
}
"""What `squad` is asked for, by the word that a process's name begins with."""

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


class Scenario:
    """One run; `open_scenario` gives it.

    Args:
        name: of the run, for the results.
        settings: of a migrated database and of topics that exist.
        seed: of everything that is left to chance; the same seed asks for the same.
        nursery: starts the processes.
        directory: takes history, journal and logs.
        database: for looking at the run.
    """

    def __init__(
        self, *, name: str, settings: Settings, seed: int, nursery: Nursery, directory: Path, database: Database
    ) -> None:
        self.name = name
        self.settings = settings
        self.seed = seed
        self.chance = random.Random(seed)
        self.directory = directory
        self.database = database
        self.journal = Journal(directory / "journal.jsonl")
        self.producers: list[Sends] = []
        self.actors: list[Actor] = []
        self.verdict: Verdict | None = None
        self._nursery = nursery
        self._healers: list[Callable[[], Awaitable[None]]] = []
        self._amendments: list[Callable[[Evidence], Evidence]] = []
        self._excused: dict[Actor, str] = {}
        self._started = 0
        self._began = monotonic()
        self._healed_at: float | None = None

    # Processes

    async def start(
        self, name: str, *, settings: Settings | None = None, hook: str | None = None, **hook_arguments: Any
    ) -> Actor:
        """Start a process.

        Args:
            name: such as `consumer` or `relay-2`; its first word says what it is (`COMMANDS`).
            settings: if they differ from the scenario's, such as by a proxy's address.
            hook: "module:function" of the tests' that is called in the process before it begins.
            hook_arguments: for the hook.
        """
        role = Role(
            name=name,
            arguments=COMMANDS[name.partition("-")[0]],
            environment=environment(settings or self.settings),
            hook=hook,
            hook_arguments=hook_arguments,
        )
        return await self._start(role)

    async def restart(self, actor: Actor) -> Actor:
        """Start another like one that has ended, without its hook."""
        role = actor.role
        return await self._start(Role(name=role.name, arguments=role.arguments, environment=role.environment))

    async def kill(self, actor: Actor) -> None:
        """Kill -9, with what was under way then as evidence."""
        progress, at_work = await self.glance(), actor.works
        code = await actor.kill()
        assert code == -9, f"{actor.role.name} had ended before, with {code}\n{actor.log_tail()}"
        breaks = int(actor.role.relays)
        fault = f"{actor.role.name.partition('-')[0]} killed"
        self.journal.note(fault, breaks=breaks, code=code, at_work=at_work, **progress)

    async def until_works(self, actor: Actor, *, seconds: float = 30) -> None:
        """Wait until a process is at work."""
        deadline = monotonic() + seconds
        while not actor.works:
            if monotonic() > deadline or not actor.lives:
                raise TimeoutError(f"{actor.role.name} does not work within {seconds:g} s\n{actor.log_tail()}")
            await asyncio.sleep(POLL_SECONDS)

    def count_killed_at_work(self) -> int:
        """Give how many of the killed processes were at work; the evidence says of each."""
        return sum(bool(entry.evidence.get("at_work")) for entry in self.journal.entries)

    def excuse(self, actor: Actor, why: str) -> None:
        """Say that a process may end by itself, such as one that refuses to go on; else that is UNKNOWN."""
        self._excused[actor] = why

    @asynccontextmanager
    async def inside(self, kind: wiring.Kind, *, settings: Settings | None = None) -> AsyncIterator[wiring.Process]:
        """Run the parts of a process in this one while the block runs.

        Args:
            kind: which parts.
            settings: if they differ from the scenario's.
        """
        async with wiring.open_process(settings or self.settings, kind) as process, asyncio.TaskGroup() as tasks:
            for part in process.parts:
                tasks.create_task(part.run())
            try:
                yield process
            finally:
                for part in process.parts:
                    part.stop()

    async def _start(self, role: Role) -> Actor:
        self._started += 1
        actor = await self._nursery.start(role, self.directory / f"{self._started:03}-{role.name}.log")
        self.actors.append(actor)
        return actor

    # Load

    @asynccontextmanager
    async def load(self, *, rate: float = 150) -> AsyncIterator[None]:
        """Send commands while the block runs.

        Args:
            rate: commands per second, of all producers together.
        """
        async with asyncio.TaskGroup() as tasks:
            for producer in self.producers:
                tasks.create_task(producer.send_at(rate / len(self.producers)))
            yield
            for producer in self.producers:
                producer.stop()

    async def register_users(self, *, seconds: float = 30) -> None:
        """Send the users that everything else needs, and wait until they are applied; something must consume."""
        for producer in self.producers:
            await producer.register_users()
        await self.until(lambda progress: not progress.undecided, "users are applied", seconds)

    # Looking

    def ends(self) -> dict[int, int]:
        """Give, by partition, the offset after the last record that was acknowledged."""
        ends: dict[int, int] = {}
        for producer in self.producers:
            for partition, end in producer.history.ends().items():
                ends[partition] = max(ends.get(partition, 0), end)
        return ends

    async def look(self) -> Progress:
        """Look how far the run has come."""
        return await look(self.settings, self.database, self.ends())

    async def glance(self) -> dict[str, Any]:
        """Say for the journal how far the run has come, if that can be seen."""
        try:
            async with asyncio.timeout(3):
                # The first may meet connections that an earlier fault has broken.
                with suppress(SQLAlchemyError):
                    await self.look()
                seen = await self.look()
        except UNREADABLE as error:
            return {"progress": repr(error)}
        return {"undecided": seen.undecided, "unpublished": seen.unpublished, "leases": dict(seen.leases)}

    async def until(self, fits: Callable[[Progress], bool], what: str, seconds: float) -> Progress:
        """Wait until the run has come so far.

        Raises:
            TimeoutError: it did not in time.
        """
        deadline, seen = monotonic() + seconds, "nothing"
        while monotonic() < deadline:
            try:
                progress = await self.look()
                if fits(progress):
                    return progress
                seen = str(progress)
            except UNREADABLE as error:
                seen = repr(error)
            await asyncio.sleep(POLL_SECONDS)
        raise TimeoutError(f"not within {seconds:g} s: {what}; seen last: {seen}")

    async def pause(self, least_seconds: float, most_seconds: float) -> None:
        """Let the run go on for a time by chance."""
        await asyncio.sleep(self.chance.uniform(least_seconds, most_seconds))

    # The end

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

    async def conclude(self, *, drain_seconds: float = 40) -> Verdict:
        """Heal, drain, send one more command for every key, drain, stop, gather and judge.

        Args:
            drain_seconds: how long each drain may take; what is not drained then is UNKNOWN.

        Raises:
            AssertionError: the verdict is not PASS; with seed, journal and findings, and the evidence is kept.
        """
        verdict = await self._conclude(drain_seconds)
        self.verdict = verdict
        note_run(self._describe(verdict))
        if not verdict.passed:
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
        gaps = tuple(self._unexplained_ends())
        return replace(verdict, result=Result.UNKNOWN, gaps=verdict.gaps + gaps) if gaps and verdict.passed else verdict

    def _unexplained_ends(self) -> Iterator[str]:
        for actor in self.actors:
            if actor.code not in {0, -9} and actor not in self._excused:
                yield f"{actor.role.name} ended by itself with {actor.code}: {actor.log}"

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

    def _describe(self, verdict: Verdict) -> Run:
        return Run(
            name=self.name,
            seed=self.seed,
            result=verdict.result,
            faults=dict(self.journal.counts),
            broken=tuple(finding.invariant for finding in verdict.findings),
            commands=sum(len(producer.history.attempts) for producer in self.producers),
            seconds=round(monotonic() - self._began, 1),
        )


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
    """
    own = settings.model_copy(update=FAULT_SETTINGS)
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
