"""A consumer that is told to end takes no more, and finishes what is under way instead of cutting it."""

import asyncio
from collections import Counter
from typing import Any, cast

from consumers.consumer import Consumer
from consumers.records import Batch, Partition
from tests.making import TOPIC, FakeRecord


class Endless:
    """Stands for the source: a batch for each who asks."""

    def __init__(self) -> None:
        self.given = 0

    async def start(self) -> None: ...

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None: ...

    async def next_batch(self, _lane: int) -> Batch:
        self.given += 1
        return Batch([FakeRecord(key=b"", value=b"")], {Partition(TOPIC, 0): 0}, 1)

    def is_current(self, _: Batch) -> bool:
        return True


class Slow:
    """Stands for the processor, whose statement takes until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def apply(self, _batch: Batch, _culprit: object = None) -> Counter[str]:
        self.begun.set()
        await self.go_on.wait()
        return Counter({"applied": 1})

    async def probe(self) -> None: ...


async def test_batch_under_way_is_finished_and_no_other_begun() -> None:
    """Cancelled, its statement would cost the connection, and each waiting statement of a storm another."""
    source, processor = Endless(), Slow()
    consumer = Consumer(source=cast("Any", source), processor=cast("Any", processor), lanes=1)
    running = asyncio.create_task(consumer.run())
    await processor.begun.wait()

    consumer.stop()
    await asyncio.wait([running], timeout=0.05)
    assert not running.done()
    processor.go_on.set()
    await asyncio.wait_for(running, 10)

    assert (consumer.counts, source.given) == (Counter({"applied": 1}), 1)
