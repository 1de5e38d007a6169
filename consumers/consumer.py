"""A consumer's life: its lanes, each with one batch in a transaction of its own, over one source."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping

from consumers.culprits import Policy
from consumers.failures import Settler
from consumers.processor import Processor
from consumers.records import Batch, Partition, partition_of
from consumers.source import Source
from db.waiting import done_before

logger = logging.getLogger("squad.consumer")


class Consumer:
    """Applies commands until it is stopped.

    Checkpoints are per partition and locks per stream, so lanes need nothing from each other: Python decides for one
    while PostgreSQL works for the other.

    Args:
        source: where batches come from; it deals its partitions to the lanes.
        processor: applies them.
        lanes: how many batches are under way at once.
        on_applied: called with the counts of each committed batch, such as to wake the relay.
        deploy_seconds: how long a half-done deploy is waited for.
        backoff_seconds, backoff_most_seconds: of the attempts after transient failures, and of a culprit's.
        attempts: how often a record that fails is tried alone.
        halving_attempts: how often a batch may in a row fail as its own records may make it fail.
        policies: what is done with culprits, by their types.
    """

    def __init__(
        self,
        *,
        source: Source,
        processor: Processor,
        lanes: int = 2,
        on_applied: Callable[[Counter[str]], None] = lambda _: None,
        deploy_seconds: float = 60,
        backoff_seconds: float = 0.1,
        backoff_most_seconds: float = 30,
        attempts: int = 3,
        halving_attempts: int = 3,
        policies: Mapping[str, Policy] | None = None,
    ) -> None:
        self._source = source
        self._lanes = lanes
        self._on_applied = on_applied
        self._stopping = asyncio.Event()
        self._settler = Settler(
            processor=processor,
            source=source,
            on_applied=self._count,
            stopping=self._stopping,
            deploy_seconds=deploy_seconds,
            backoff_seconds=backoff_seconds,
            backoff_most_seconds=backoff_most_seconds,
            attempts=attempts,
            probe=processor.probe,
            halving_attempts=halving_attempts,
            policies=policies,
        )
        self.counts: Counter[str] = Counter()
        self._under_way: dict[int, Batch] = {}
        self.tally = self._settler.tally

    async def run(self) -> None:
        """Consume until `stop`; batches under way are finished, if the database lets them.

        Raises:
            ExceptionGroup: with what stopped it: the broker at the start, or a schema that does not fit.
        """
        if not await done_before(self._stopping, self._source.start()):
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                source = tasks.create_task(self._source.run())
                lanes = [tasks.create_task(self._run_lane(lane)) for lane in range(self._lanes)]
                await asyncio.wait(lanes)
                await _cancel(source)
        finally:
            await self._source.stop()
        logger.info("stopped; %s", dict(self.counts))

    def stop(self) -> None:
        """Take no more batches; safe to call twice."""
        self._stopping.set()

    @property
    def in_flight(self) -> Mapping[Partition, int]:
        """How many records of each partition are in batches that are not at their end."""
        return Counter(partition_of(record) for batch in self._under_way.values() for record in batch.records)

    async def _run_lane(self, lane: int) -> None:
        while not self._stopping.is_set():
            batch = await self._source.next_batch(lane)
            if batch is not None:
                self._under_way[lane] = batch
                await self._settler.settle(batch)
                del self._under_way[lane]

    def _count(self, counts: Counter[str]) -> None:
        self.counts.update(counts)
        self._on_applied(counts)


async def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel a task for good: the client library swallows a cancellation that meets it while it closes something."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1)
