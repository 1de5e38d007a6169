"""The processes of a scenario: `squad consume`, `squad relay run`, `squad run`, started, stopped and killed."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from stack.errors import log_tail

ROOT: Final = Path(__file__).parents[2]
POLITE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a process is to be.

    Args:
        name: what the journal calls it.
        arguments: of `squad`.
        environment: the whole of it.
        hook: "module:function" of the tests' that is called in the process before it begins.
        hook_arguments: what that is called with; plain data.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    hook: str | None = None
    hook_arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def signs_of_work(self) -> Sequence[str]:
        """What its log says once it is at work: partitions from which it reads, the lease that it has."""
        return [sign for sign, does in (("reading", self.consumes), ("relay leads", self.relays)) if does]

    @property
    def relays(self) -> bool:
        """Whether it publishes."""
        return self.arguments[0] in {"relay", "run"}

    @property
    def consumes(self) -> bool:
        """Whether it applies commands."""
        return self.arguments[0] in {"consume", "run"}


class Actor:
    """One process.

    Args:
        role: what it is.
        pid: of the process.
        log: where it writes.
    """

    def __init__(self, *, role: Role, pid: int, log: Path) -> None:
        self.role = role
        self.pid = pid
        self.log = log
        self._ended = asyncio.get_running_loop().create_future()

    @property
    def code(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._ended.result() if self._ended.done() else None

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return not self._ended.done()

    @property
    def works(self) -> bool:
        """Whether it has come so far as to work; a consumer has partitions, a relay the lease."""
        printed = self.printed
        return all(sign in printed for sign in self.role.signs_of_work)

    @property
    def printed(self) -> str:
        """What it printed until now."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.lives:
            os.kill(self.pid, number)

    async def kill(self) -> int:
        """End it as a crash would; gives its exit code, which is -9."""
        self.send(signal.SIGKILL)
        return await self.wait()

    async def stop(self) -> int:
        """Ask it to end; gives its exit code."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            return await self.wait(POLITE_SECONDS)
        except TimeoutError:
            return await self.kill()

    async def wait(self, seconds: float | None = None) -> int:
        """Wait for its end; gives its exit code, negative by a signal.

        Raises:
            TimeoutError: it did not end in time.
        """
        async with asyncio.timeout(seconds):
            code: int = await asyncio.shield(self._ended)
        return code

    def note_end(self, code: int) -> None:
        """Let those go on who wait for its end."""
        self._ended.set_result(code)

    def log_tail(self) -> str:
        """Give the end of its log."""
        return f"the log of {self.role.name} ends:\n{log_tail(self.log) if self.log.exists() else '(nothing)'}"


class Nursery:
    """Starts processes by a fork of a warmed-up one, for an interpreter's start costs most of a second.

    Args:
        process: the warmed-up one.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._numbers = count(1)
        self._born: dict[int, asyncio.Future[int]] = {}
        self._actors: dict[int, Actor] = {}
        self._ended: dict[int, int] = {}

    async def start(self, role: Role, log: Path) -> Actor:
        """Start a process.

        Args:
            role: what it is to be.
            log: where it is to write.
        """
        number = next(self._numbers)
        born = self._born[number] = asyncio.get_running_loop().create_future()
        wanted = {
            "number": number,
            "arguments": list(role.arguments),
            "environment": dict(role.environment),
            "log": str(log),
            "hook": role.hook,
            "hook_arguments": dict(role.hook_arguments),
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
        actor = self._actors[number] = Actor(role=role, pid=await born, log=log)
        if number in self._ended:
            actor.note_end(self._ended[number])
        return actor

    async def listen(self) -> None:
        """Hear of births and ends until the warmed-up process is gone."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "pid" in told:
                self._born.pop(told["number"]).set_result(told["pid"])
            elif told["number"] in self._actors:
                self._actors[told["number"]].note_end(told["ended"])
            else:
                self._ended[told["number"]] = told["ended"]


@asynccontextmanager
async def open_nursery() -> AsyncIterator[Nursery]:
    """Give a nursery; whatever still lives at the end is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.nursery", cwd=ROOT, stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    nursery = Nursery(process)
    listening = asyncio.create_task(nursery.listen())
    try:
        yield nursery
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening
