"""Hooks of the tests' own in a process that runs the service: it ends itself with SIGKILL at a certain boundary.

Boundaries of a batch or page lie before each statement, before each batch of records for Kafka, and after the whole;
or, finer, wherever one of its coroutines waits, for then what it asked for is under way. Each has a name: of the
statement, or of the functions in which it waits; and which time that is in the batch or page.
"""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from types import CoroutineType
from typing import Any, Literal

import asyncpg.transaction
from aiokafka import AIOKafkaProducer
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_cursor

from consumers.processor import Processor
from outbox.relay import Relay

Part = Literal["batch", "page"]
Unit = Literal["statement", "await"]

PARTS: dict[Part, tuple[type, str]] = {"batch": (Processor, "apply"), "page": (Relay, "relay_batch")}
"""What does one batch and one page."""


MOST: dict[Unit, int] = {"statement": 2, "await": 200}
"""Statements are repeated for each sweep, batches of records for each partition: the second stands for all others. Of
awaits none does."""


class Countdown:
    """Passes the boundaries of one batch or page.

    Args:
        is_end: tells by a boundary's name whether the process ends there.
        report: takes a line of JSON for the end, and for each batch or page without it.
        most: so often something of one batch or page has a name of its own.
    """

    def __init__(self, is_end: Callable[[str], bool], report: Path, *, most: int) -> None:
        self._is_end = is_end
        self._most = most
        self._report = report
        self._is_over = False
        self._seen: Counter[str] = Counter()

    def step(self, what: str) -> None:
        """Pass a boundary, where something is about to be done, or end here."""
        if self._is_over:
            return
        self._seen[what] += 1
        name = self._name(what, self._seen[what])
        if self._is_end(name):
            self._write(ended=name)
            os.kill(os.getpid(), signal.SIGKILL)

    def end(self, *, did_something: bool) -> None:
        """Let what the batch or page left behind, such as a client's own coroutine, no more be counted."""
        self._is_over = True
        if did_something:
            passed = {self._name(what, time) for what, times in self._seen.items() for time in range(1, times + 1)}
            self._write(passed=sorted(passed))

    def _name(self, what: str, time: int) -> str:
        return f"{what} #{min(time, self._most)}"

    def _write(self, **what: object) -> None:
        with self._report.open("a") as file:
            file.write(json.dumps(what) + "\n")


_countdown: ContextVar[Countdown | None] = ContextVar("_countdown", default=None)


def kill_at(
    part: Part, unit: Unit, report: str, *, known: Collection[str] = (), only: str = "", spared: int = 0
) -> None:
    """Have this process end at a boundary of a batch or page.

    Args:
        part: of which boundaries.
        unit: which boundaries.
        report: the path of a file that is told.
        known: names of those that are passed.
        only: part of the name of those that are not.
        spared: so many batches or pages, of those that did something, are let through before.
    """
    owner, name = PARTS[part]
    original = getattr(owner, name)
    done_before = 0

    def is_end(boundary: str) -> bool:
        return done_before >= spared and only in boundary and boundary not in known

    @wraps(original)
    async def counted(*arguments: Any) -> Any:
        nonlocal done_before
        countdown = Countdown(is_end, Path(report), most=MOST[unit])
        token = _countdown.set(countdown)
        done = None
        try:
            if unit == "await":
                asyncio.get_running_loop().set_task_factory(_make_task)
                done = await _Counted(original(*arguments))
            else:
                done = await original(*arguments)
                countdown.step(f"after the {part}")
            return done
        finally:
            countdown.end(did_something=bool(done))
            _countdown.reset(token)
            done_before += bool(done)

    setattr(owner, name, counted)
    if unit == "statement":
        _count_statements()


def _count_statements() -> None:
    """Count every statement, BEGIN and COMMIT, and every batch for Kafka."""
    _before(asyncpg.transaction.Transaction, "start", lambda _: "BEGIN")
    _before(asyncpg.transaction.Transaction, "commit", lambda _: "COMMIT")
    _before(AsyncAdapt_asyncpg_cursor, "_prepare_and_execute", lambda arguments: " ".join(arguments[0].split())[:80])
    _before(AIOKafkaProducer, "send_batch", lambda arguments: f"a batch for {arguments[1].rpartition('.')[2]}")


def _before(owner: type, name: str, describe: Callable[[tuple[Any, ...]], str]) -> None:
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @wraps(original)
    async def counted(self: object, *arguments: Any, **named: Any) -> Any:
        _step(f"before {describe(arguments)}")
        return await original(self, *arguments, **named)

    setattr(owner, name, counted)


def _step(what: str) -> None:
    countdown = _countdown.get()
    if countdown is not None:
        countdown.step(what)


def _where(waiting: object) -> str:
    """Give the functions in which a coroutine waits, the innermost last."""
    found = []
    while isinstance(waiting, CoroutineType):
        found.append(waiting.__qualname__)
        waiting = waiting.cr_await
    return " > ".join(found)


class _Counted:
    """A coroutine of which each wait is counted, once what it waits for is under way."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        send: Callable[[], Any] = lambda: self._coroutine.send(None)  # noqa: E731
        while True:
            try:
                waited_for = send()
            except StopIteration as end:
                return end.value
            _step(_where(self._coroutine))
            try:
                value = yield waited_for
            except BaseException as error:  # noqa: BLE001 - it is the coroutine's
                send = _bind(self._coroutine.throw, error)
            else:
                send = _bind(self._coroutine.send, value)


def _bind(send: Callable[[Any], Any], value: Any) -> Callable[[], Any]:
    return lambda: send(value)


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **named: Any) -> asyncio.Task[Any]:
    """Make a task, of which the waits are counted if it is part of a batch or page."""
    countdown = _countdown.get()
    if countdown is None:
        return asyncio.Task(coroutine, loop=loop, **named)

    async def counted() -> Any:
        return await _Counted(coroutine)

    return asyncio.Task(counted(), loop=loop, **named)


def read_report(path: Path) -> list[dict[str, Any]]:
    """Give what a process has written so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
