"""Where a scenario stops the real code, so that what seldom happens between two steps happens surely."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from consumers import checkpoints
from tests.planted.trial import Trial


class Gate:
    """Somebody comes to it and waits; the scenario opens it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def wait(self) -> None:
        """Come, and wait."""
        self.reached.set()
        await self.opened.wait()


async def finish(task: "asyncio.Task[Any]", *gates: Gate) -> None:
    """Open the gates, and await what waited there."""
    for gate in gates:
        gate.opened.set()
    await task


def before_commit(trial: Trial, act: Callable[[int], Awaitable[None]]) -> None:
    """Act after the last statement of each batch, before its COMMIT; `act` is given the batch's partition."""
    real = checkpoints.advance

    async def advance(session: Any, group: str, last_records: Any) -> None:
        await real(session, group, last_records)
        for partition in last_records:
            await act(partition.number)

    trial.patch.setattr(checkpoints, "advance", advance)


def hold_commit(trial: Trial, *, partition: int) -> Gate:
    """Hold the next batch of a partition before its COMMIT."""
    gate = Gate()

    async def hold(number: int) -> None:
        if number == partition and not gate.reached.is_set():
            await gate.wait()

    before_commit(trial, hold)
    return gate
