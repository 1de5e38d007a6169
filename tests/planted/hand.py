"""A consumer whose every step is taken by hand, on a log in memory."""

from collections.abc import Collection, Mapping, Sequence

from consumers import checkpoints
from consumers.decode import Decoder
from consumers.failures import Settler
from consumers.outgoing import Topics
from consumers.processor import Processor
from consumers.records import Batch, Partition
from db.database import Database
from domain.values import Id
from messages.codec import Limits
from tests.making import FakeRecord

ROUNDS = 100
"""Of a consumer that drains: more than any scenario needs, so that a bug cannot make it go on for ever."""


class Hand:
    """A consumer of which a scenario takes every step: what it has read counts until it is told to read again.

    Args:
        database: through which it applies.
        log: by partition, what it reads.
        topic: the log's name.
        group: whose checkpoints count.
        topics: where messages go.
    """

    def __init__(
        self,
        *,
        database: Database,
        log: Mapping[int, Sequence[FakeRecord]],
        topic: str,
        group: str,
        topics: Topics,
    ) -> None:
        self._database = database
        self._log = log
        self._topic = topic
        self._group = group
        self._positions: dict[Partition, int] = {}
        self.processor = Processor(database=database, group=group, topics=topics, decoder=Decoder(limits=Limits()))
        self._settler = Settler(processor=self.processor, source=self, backoff_seconds=0.001)
        self.stopped: dict[Partition, str] = {}

    async def read(self, *, partition: int = 0, count: int = 1000) -> Batch | None:
        """Read a batch from where this consumer is; the checkpoint says so at first."""
        place = Partition(self._topic, partition)
        if place not in self._positions:
            async with self._database.transaction() as session:
                stored = await checkpoints.load(session, self._group, [place])
            self._positions[place] = stored[place].next_offset
        begin = self._positions[place]
        records = self._log[partition][begin : begin + count]
        if not records or place in self.stopped:
            return None
        self._positions[place] = begin + len(records)
        return Batch(list(records), {place: begin}, 1)

    async def settle(self, batch: Batch | None) -> None:
        """Bring a batch to an end, as the failure table says."""
        assert batch is not None, "there was nothing to read"
        await self._settler.settle(batch)

    async def step(self, *, partition: int = 0, count: int = 1000) -> None:
        """Read a batch and bring it to an end."""
        await self.settle(await self.read(partition=partition, count=count))

    async def drain(self) -> None:
        """Go on until there is nothing more to read."""
        for partition in self._log:
            for _ in range(ROUNDS):
                batch = await self.read(partition=partition)
                if batch is None:
                    break
                await self.settle(batch)

    # What the failure table asks for

    def is_current(self, batch: Batch) -> bool:
        return True

    def read_again(self, batch: Batch) -> None:
        for partition in batch.begins:
            self._positions.pop(partition, None)

    def stop_partition(self, partition: Partition, why: str, next_offset: int, awaits: Collection[Id] = ()) -> None:
        self.stopped[partition] = why
