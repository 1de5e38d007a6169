"""How long a trivial coroutine's turn is delayed by what else the event loop has to do."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from itertools import cycle
from statistics import quantiles
from typing import Final

from bench.claiming.reads import Read, read_asynchronously, read_synchronously
from db.database import Database

INTERVAL_SECONDS: Final = 0.005

Work = Callable[[asyncio.Event], Coroutine[object, object, None]]


async def during(works: Sequence[Work], *, seconds: float) -> dict[str, float]:
    """Give the median and the 99th percentile of the delays, in milliseconds.

    Every turn has an intended time that does not depend on those before it, so that a loop which stands still delays
    all that fall due meanwhile.

    Args:
        works: what the loop does meanwhile, each until it is told to end.
        seconds: for how long.
    """
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    number, delays = max(2, round(seconds / INTERVAL_SECONDS)), list[float]()

    def take_turn(due: float) -> None:
        delays.append(loop.time() - due)
        if len(delays) == number:
            over.set()

    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work(over))
        await asyncio.sleep(INTERVAL_SECONDS)
        began = loop.time()
        for turn in range(1, number + 1):
            due = began + turn * INTERVAL_SECONDS
            loop.call_at(due, take_turn, due)
    marks = quantiles(delays, n=100, method="inclusive")
    return {"p50": marks[49] * 1e3, "p99": marks[98] * 1e3}


async def while_asynchronous(
    database: Database, reads: Sequence[Read], *, in_flight: int, seconds: float
) -> dict[str, float]:
    """Give the delays while so many reads are in flight through asynchronous sessions."""
    left = cycle(reads)

    async def work(over: asyncio.Event) -> None:
        while not over.is_set():
            await read_asynchronously(database, next(left))

    return await during([work] * in_flight, seconds=seconds)


async def while_synchronous(database: Database, reads: Sequence[Read], *, seconds: float) -> dict[str, float]:
    """Give the delays while a coroutine makes one read after another through synchronous sessions."""
    left = cycle(reads)

    async def work(over: asyncio.Event) -> None:
        while not over.is_set():
            read_synchronously(database, next(left))
            await asyncio.sleep(0)

    return await during([work], seconds=seconds)
