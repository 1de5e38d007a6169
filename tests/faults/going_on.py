"""Whether a run goes on: every partition's checkpoint, every shard's cursor."""

import asyncio
from collections.abc import Mapping
from typing import Final, Literal

from sqlalchemy import text

from tests.faults.progress import UNREADABLE
from tests.faults.scenario import Scenario

PATIENCE_SECONDS: Final = 30
"""Longer than anything may take on a busy machine, and shorter than for ever."""

What = Literal["consuming", "relaying"]

_FAR: Final = {
    "consuming": text("SELECT partition, next_offset FROM checkpoints"),
    "relaying": text("SELECT shard, position FROM relay_cursors"),
}


async def how_far(run: Scenario, what: What) -> Mapping[int, int]:
    """Give, by partition or shard, how far it has come."""
    async with run.database.sessions() as session:
        return {row[0]: row[1] for row in await session.execute(_FAR[what])}


async def goes_on(run: Scenario, what: What, *, after: str, every: bool = True) -> None:
    """Wait until partitions, or shards, are further than now; commands for them must be on their way.

    Args:
        run: the scenario; the journal keeps how long it took.
        what: which has to go on.
        after: what happened.
        every: whether all of them have to, or one.

    Raises:
        TimeoutError: it does not go on.
    """
    loop = asyncio.get_running_loop()
    began, before = loop.time(), await how_far(run, what)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                now = await how_far(run, what)
                if (all if every else any)(now[number] > far for number, far in before.items()):
                    break
            except UNREADABLE:
                pass
            await asyncio.sleep(0.02)
    run.journal.remark(f"{what} went on after {after}", seconds=round(loop.time() - began, 2))
