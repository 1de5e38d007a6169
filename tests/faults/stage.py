"""Where a run takes place: its processes, which can be killed, its load, and what can be seen of it meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from app import wiring
from app.settings import Settings
from db.database import Database
from tests.acceptance.conftest import environment
from tests.faults.actors import Actor, Nursery, Role
from tests.faults.journal import Journal
from tests.faults.load import Sends
from tests.faults.progress import UNREADABLE, Progress, look
from tests.inside import process_inside

POLL_SECONDS: Final = 0.05
COMMANDS: Final = {
    "consumer": ("consume",),
    "relay": ("relay", "run"),
    "service": ("run",),
}
"""What `squad` is asked for, by the word that a process's name begins with."""


class Stage:
    """What a scenario does until it ends.

    Args:
        settings: of a migrated database and of topics that exist.
        seed: of everything that is left to chance; the same seed asks for the same.
        nursery: starts the processes.
        directory: takes history, journal and logs.
        database: for looking at the run.
    """

    def __init__(self, *, settings: Settings, seed: int, nursery: Nursery, directory: Path, database: Database) -> None:
        self.settings = settings
        self.seed = seed
        self.chance = random.Random(seed)
        self.directory = directory
        self.database = database
        self.journal = Journal(directory / "journal.jsonl")
        self.producers: list[Sends] = []
        self.actors: list[Actor] = []
        self._nursery = nursery
        self._excused: dict[Actor, str] = {}
        self._started = 0

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

    def unexplained_ends(self) -> Iterator[str]:
        """Say which processes ended without having been killed, stopped or excused."""
        for actor in self.actors:
            if actor.code not in {0, -9} and actor not in self._excused:
                yield f"{actor.role.name} ended by itself with {actor.code}: {actor.log}"

    @asynccontextmanager
    async def inside(self, kind: wiring.Kind, *, settings: Settings | None = None) -> AsyncIterator[wiring.Process]:
        """Run the parts of a process in this one while the block runs.

        Args:
            kind: which parts.
            settings: if they differ from the scenario's.
        """
        async with process_inside(settings or self.settings, kind) as process:
            yield process

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
