"""What was read for a lane and is not in a batch yet: bounded, and shared out fairly among its partitions."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from consumers.records import Partition, Record, record_bytes

BATCHES_AHEAD: Final = 2
"""How much is read ahead, in batches: one to take while the next one is read."""


class LaneBuffer:
    """The records read for a lane, in order within each partition.

    Args:
        max_records: of a batch.
        max_bytes: of a batch's records; a batch has one record, however large.
    """

    def __init__(self, *, max_records: int, max_bytes: int) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._queues: dict[Partition, deque[tuple[Record, int]]] = {}
        """The records, each with its size."""
        self._row: deque[Partition] = deque()
        self._records = 0
        self._bytes = 0
        self.filled = asyncio.Event()
        """Set while there is something to take."""
        self.room = asyncio.Event()
        """Set while there is room to read more: less than `BATCHES_AHEAD` batches are held."""
        self._signal()

    @property
    def count(self) -> int:
        """How many records are here."""
        return self._records

    def holds(self, partition: Partition) -> bool:
        """Tell whether a partition has records here."""
        return partition in self._queues

    def end_of(self, partition: Partition) -> int:
        """Give the offset behind the last record of a partition that has some here."""
        return self._queues[partition][-1][0].offset + 1

    def add(self, partition: Partition, records: Sequence[Record]) -> None:
        """Add what was read of a partition, behind what it has here; one record at least."""
        if partition not in self._queues:
            self._queues[partition] = deque()
            self._row.append(partition)
        sizes = [*map(record_bytes, records)]
        self._queues[partition].extend(zip(records, sizes, strict=True))
        self._records += len(records)
        self._bytes += sum(sizes)
        self._signal()

    def drop(self, partition: Partition) -> None:
        """Forget a partition's records."""
        if partition in self._queues:
            queue = self._queues.pop(partition)
            self._row.remove(partition)
            self._records -= len(queue)
            self._bytes -= sum(size for _, size in queue)
            self._signal()

    def take(self) -> list[Record]:
        """Take the records of a batch: an equal share of each partition, and what the others leave over.

        So a partition with much to read never keeps the others waiting. Where the bytes are full before each had its
        share, the partition that was interrupted is first the next time.
        """
        taken: list[Record] = []
        left_bytes = self._max_bytes
        while self._row and left_bytes > 0 and (room := self._max_records - len(taken)):
            share = max(1, room // len(self._row))
            for _ in range(min(room, len(self._row))):
                left_bytes = self._take_share(taken, share, left_bytes)
                if left_bytes <= 0:
                    break
        self._signal()
        return taken

    def _take_share(self, taken: list[Record], share: int, left_bytes: int) -> int:
        """Take up to so many records of the first partition in the row; give the bytes left, 0 when they are full."""
        partition = self._row.popleft()
        queue = self._queues[partition]
        for _ in range(min(share, len(queue))):
            record, size = queue[0]
            if size > left_bytes and taken:
                self._row.appendleft(partition)
                return 0
            left_bytes -= size
            self._bytes -= size
            self._records -= 1
            queue.popleft()
            taken.append(record)
        if queue:
            self._row.append(partition)
        else:
            del self._queues[partition]
        return left_bytes

    def _signal(self) -> None:
        _set_if(self.filled, bool(self._records))
        records_full = self._records >= BATCHES_AHEAD * self._max_records
        bytes_full = self._bytes >= BATCHES_AHEAD * self._max_bytes
        _set_if(self.room, not (records_full or bytes_full))


def _set_if(event: asyncio.Event, condition: bool) -> None:  # noqa: FBT001 - a condition is what it is about
    if condition:
        event.set()
    else:
        event.clear()
