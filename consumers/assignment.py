"""Which partitions are ours, and how far each has been read: plain bookkeeping, without Kafka and without waiting."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from consumers.records import Batch, Partition, Record, partition_of


class Assignment:
    """The partitions of one consumer, dealt to lanes.

    A partition is *adopted* once it is known where its reading begins; until then nothing is taken from it.

    Args:
        lanes: how many lanes the partitions are dealt to.
    """

    def __init__(self, *, lanes: int) -> None:
        self.generation = 0
        """Counts assignments: what was read under an older one is not ours any more."""
        self.changed = asyncio.Event()
        """Set when there may be something to adopt."""
        self._lanes = lanes
        self._lane_of: dict[Partition, int] = {}
        self._positions: dict[Partition, int] = {}
        self._left_over: dict[int, list[Record]] = {}
        self._stopped: dict[Partition, str] = {}

    @property
    def positions(self) -> Mapping[Partition, int]:
        """The adopted partitions, and the offset that the next batch of each begins with."""
        return self._positions

    @property
    def stopped(self) -> Mapping[Partition, str]:
        """The partitions that are stopped, and why."""
        return self._stopped

    def revoke(self) -> None:
        """Everything is taken away."""
        self.generation += 1
        self._lane_of.clear()
        self._positions.clear()
        self._left_over.clear()

    def assign(self, partitions: Iterable[Partition]) -> None:
        """These are ours now, and nothing else."""
        self.revoke()
        self._lane_of.update((partition, number % self._lanes) for number, partition in enumerate(sorted(partitions)))
        self.changed.set()

    def to_adopt(self) -> set[Partition]:
        """Give the partitions that are ours, but not known where to begin."""
        return self._lane_of.keys() - self._positions.keys() - self._stopped.keys()

    def adopt(self, partition: Partition, offset: int) -> None:
        """Reading of this partition begins here."""
        self._positions[partition] = offset

    def stop(self, partition: Partition, why: str) -> None:
        """Take nothing more from this partition, for this process's life."""
        self._stopped[partition] = why
        self.forget([partition])

    def forget(self, partitions: Collection[Partition]) -> None:
        """It is not known any more how far these were read; they are to be adopted again."""
        for partition in partitions:
            self._positions.pop(partition, None)
        for lane, records in list(self._left_over.items()):
            if any(partition_of(record) in partitions for record in records):
                # One run of records: dropped together, read again together.
                del self._left_over[lane]
                for record in records:
                    self._positions.pop(partition_of(record), None)
        self.changed.set()

    def adopted_of(self, lane: int) -> list[Partition]:
        """Give the adopted partitions of a lane."""
        return [partition for partition in self._positions if self._lane_of[partition] == lane]

    def lane_of(self, partition: Partition) -> int | None:
        """Give a partition's lane; `None` when it is not ours."""
        return self._lane_of.get(partition)

    def take_left_over(self, lane: int) -> list[Record]:
        """Give what the lane's last batch had no room for."""
        return self._left_over.pop(lane, [])

    def make_batch(self, lane: int, records: Sequence[Record], max_bytes: int) -> Batch:
        """Make a batch of records of adopted partitions; what has no room is left over for the next one.

        Args:
            lane: whose batch it is.
            records: one at least.
            max_bytes: of keys and values; a batch has one record, however large.
        """
        room = _count_within(records, max_bytes)
        if room < len(records):
            self._left_over[lane] = list(records[room:])
        begins = {partition_of(record): self._positions[partition_of(record)] for record in records[:room]}
        batch = Batch(records[:room], begins, self.generation)
        for partition, last in batch.last_records().items():
            self._positions[partition] = last.offset + 1
        return batch


def _count_within(records: Sequence[Record], max_bytes: int) -> int:
    size = 0
    for count, record in enumerate(records):
        size += len(record.key or b"") + len(record.value or b"")
        if size > max_bytes and count:
            return count
    return len(records)
