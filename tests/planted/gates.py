"""Where a scenario stops or cuts the real code, so that what seldom happens between two steps happens surely."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers import checkpoints
from tests.planted.trial import Trial

Act = Callable[[AsyncSession], Awaitable[None]]

_BLOCKED = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""


class Gate:
    """Somebody comes to it and waits; the scenario opens it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def wait(self) -> None:
        """Come, and wait."""
        self.reached.set()
        await self.opened.wait()


async def finish(task: "asyncio.Task[Any]", gate: Gate) -> None:
    """Open a gate, and await what waited there."""
    gate.opened.set()
    await task


async def blocked_or_done(trial: Trial, task: "asyncio.Task[Any]") -> None:
    """Wait until a task has ended, or somebody waits for a lock."""
    async with asyncio.timeout(20):
        while not task.done() and not (await trial.rows(_BLOCKED))[0][0]:  # noqa: ASYNC110 - the server's state
            await asyncio.sleep(0.005)


def before_commit(trial: Trial, act: Act, *, partition: int) -> None:
    """Act once, in the next transaction of a partition, after its last statement and before its COMMIT."""
    _act_after(trial, "advance", act, partition)


def before_loading(trial: Trial, act: Act, *, partition: int) -> None:
    """Act once, in the next transaction of a partition, after its checkpoint is locked and before its roots are."""
    _act_after(trial, "lock_and_compare", act, partition)


def hold_commit(trial: Trial, *, partition: int) -> Gate:
    """Hold the next transaction of a partition before its COMMIT."""
    gate = Gate()

    async def hold(_: AsyncSession) -> None:
        await gate.wait()

    before_commit(trial, hold, partition=partition)
    return gate


def hold_loading(trial: Trial, *, partition: int) -> Gate:
    """Hold the next transaction of a partition before it loads and locks what it decides on."""
    gate = Gate()

    async def hold(_: AsyncSession) -> None:
        await gate.wait()

    before_loading(trial, hold, partition=partition)
    return gate


async def cut(trial: Trial, session: AsyncSession) -> None:
    """Let the server end the connection of a session, so that its transaction is undone."""
    process = await session.scalar(text("SELECT pg_backend_pid()"))
    await trial.execute("SELECT pg_terminate_backend(:process, 10000)", process=process)


def _act_after(trial: Trial, name: str, act: Act, partition: int) -> None:
    real, is_over = getattr(checkpoints, name), False

    async def act_after(session: AsyncSession, group: str, places: Any) -> Any:
        nonlocal is_over
        result = await real(session, group, places)
        if not is_over and any(place.number == partition for place in places):
            is_over = True
            await act(session)
        return result

    trial.patch.setattr(checkpoints, name, act_after)
