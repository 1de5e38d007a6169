"""Which partitions are ours, and how far each has been read: plain bookkeeping, without Kafka and without waiting."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from consumers.buffer import LaneBuffer
from consumers.checkpoints import Checkpoint
from consumers.records import Batch, Partition, Record, partition_of
from db.controls import CONSUMER, Pauses
from domain.values import Id

logger = logging.getLogger("squad.source")


@dataclass(frozen=True, slots=True)
class Stop:
    """A partition that is not read further.

    Args:
        why: for the operator.
        next_offset: the checkpoint in front of what stopped it; `None`: none is known.
        accepted_at: when an operator had last moved that checkpoint.
        awaits: the streams in which there must be room again; none: that is not what it waits for.
        since: when it was stopped.
    """

    why: str
    next_offset: int | None
    accepted_at: datetime | None
    awaits: Collection[Id] = ()
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    def is_over(self, checkpoint: Checkpoint | None) -> bool:
        """Tell whether the checkpoint was moved since: by an operator, or by another consumer that got further."""
        if checkpoint is None:
            return self.next_offset is not None
        return (checkpoint.next_offset, checkpoint.accepted_at) != (self.next_offset, self.accepted_at)


class Assignment:
    """The partitions of one consumer, dealt to lanes.

    A partition is *adopted* once it is known where its reading begins; until then nothing is read from it. One that is
    paused is not adopted, whoever had it before, and what was read of it is dropped: so it costs no memory.

    Args:
        lanes: how many lanes the partitions are dealt to.
        max_records: of a batch.
        max_bytes: of a batch's records.
    """

    def __init__(self, *, lanes: int, max_records: int, max_bytes: int) -> None:
        self.generation = 0
        """Counts assignments: what was read under an older one is not ours any more."""
        self.is_dealt = False
        """Whether the group has dealt its partitions, even if none is ours; not before, nor between two deals."""
        self.changed = asyncio.Event()
        """Set when there may be something to adopt."""
        self.adopted = asyncio.Event()
        """Set when there may be something new to read."""
        self.buffers = [LaneBuffer(max_records=max_records, max_bytes=max_bytes) for _ in range(lanes)]
        self._lane_of: dict[Partition, int] = {}
        self._positions: dict[Partition, int] = {}
        self._accepted_at: dict[Partition, datetime | None] = {}
        self._stops: dict[Partition, Stop] = {}
        self._to_stop: dict[Partition, str] = {}
        self._pauses = Pauses()

    @property
    def positions(self) -> Mapping[Partition, int]:
        """The adopted partitions, and the offset that the next batch of each begins with."""
        return self._positions

    @property
    def stops(self) -> Mapping[Partition, Stop]:
        """The partitions that are stopped; also those that are not ours at the moment."""
        return self._stops

    @property
    def dealt(self) -> Collection[Partition]:
        """The partitions that are ours."""
        return self._lane_of.keys()

    @property
    def paused(self) -> Mapping[Partition, str]:
        """The partitions of ours that an operator paused, and why."""
        whys = ((each, self._why_paused(each)) for each in self._lane_of)
        return {partition: why for partition, why in whys if why is not None}

    def pause(self, pauses: Pauses) -> None:
        """These are the pauses now, and no others; a batch under way is finished."""
        if pauses == self._pauses:
            return
        self._pauses = pauses
        self.forget(self._positions.keys() & self.paused.keys())

    def _why_paused(self, partition: Partition) -> str | None:
        return self._pauses.why(CONSUMER, str(partition))

    def revoke(self) -> None:
        """Everything is taken away."""
        self.generation += 1
        self.is_dealt = False
        self.forget(list(self._lane_of))
        self._lane_of.clear()

    def assign(self, partitions: Iterable[Partition]) -> None:
        """These are ours now, and nothing else."""
        self.revoke()
        lanes = len(self.buffers)
        self.is_dealt = True
        self._lane_of.update((partition, number % lanes) for number, partition in enumerate(sorted(partitions)))
        self.changed.set()

    def to_adopt(self) -> set[Partition]:
        """Give the partitions that are ours and may be read, but not known where to begin."""
        return self._lane_of.keys() - self._positions.keys() - self._stops.keys() - self.paused.keys()

    def stopped_here(self) -> set[Partition]:
        """Give the partitions that are ours and stopped."""
        return self._lane_of.keys() & self._stops.keys()

    def adopt(self, partition: Partition, checkpoint: Checkpoint) -> None:
        """Reading of this partition begins at its checkpoint, unless it was paused meanwhile."""
        if self._why_paused(partition) is not None:
            return
        self._positions[partition] = checkpoint.next_offset
        self._accepted_at[partition] = checkpoint.accepted_at
        self.adopted.set()

    def stop(self, partition: Partition, why: str, next_offset: int | None, awaits: Collection[Id] = ()) -> None:
        """Take nothing more from this partition, until its checkpoint is moved from there, or there is room."""
        self._stops[partition] = Stop(why, next_offset, self._accepted_at.get(partition), awaits)
        self.forget([partition])
        logger.error("partition %s is stopped: %s", partition, why)

    def stop_at(self, partition: Partition, why: str, checkpoint: Checkpoint) -> None:
        """Take nothing from this partition, because of the checkpoint itself or of the log it stands in."""
        self._accepted_at[partition] = checkpoint.accepted_at
        self.stop(partition, why, checkpoint.next_offset)

    def stop_behind(self, partition: Partition, why: str) -> None:
        """Take what was read of this partition so far, and then nothing more."""
        if self.is_buffered(partition):
            self._to_stop[partition] = why
        elif partition in self._positions:
            self.stop(partition, why, self._positions[partition])

    def go_on(self, partition: Partition) -> None:
        """A stopped partition is to be adopted again."""
        del self._stops[partition]
        self.changed.set()

    def forget(self, partitions: Collection[Partition]) -> None:
        """It is not known any more how far these were read; they are to be adopted again."""
        for partition in partitions:
            self._positions.pop(partition, None)
            self._to_stop.pop(partition, None)
            if partition in self._lane_of:
                self.buffers[self._lane_of[partition]].drop(partition)
        self.changed.set()

    def adopted_of(self, lane: int) -> list[Partition]:
        """Give the adopted partitions of a lane that are read further."""
        return [each for each in self._positions if self._lane_of[each] == lane and each not in self._to_stop]

    def lane_of(self, partition: Partition) -> int | None:
        """Give a partition's lane; `None` when it is not ours."""
        return self._lane_of.get(partition)

    def is_buffered(self, partition: Partition) -> bool:
        """Tell whether records of a partition were read that are not in a batch yet."""
        lane = self._lane_of.get(partition)
        return lane is not None and self.buffers[lane].holds(partition)

    def end_of(self, partition: Partition) -> int | None:
        """Give the offset behind what was read of a partition; `None` when it is not adopted."""
        if partition in self._positions and self.is_buffered(partition):
            return self.buffers[self._lane_of[partition]].end_of(partition)
        return self._positions.get(partition)

    def keep(self, partition: Partition, records: Sequence[Record]) -> None:
        """Keep what was read of an adopted partition until a batch takes it; one record at least."""
        self.buffers[self._lane_of[partition]].add(partition, records)

    def take_batch(self, lane: int) -> Batch | None:
        """Make a batch of what was read for a lane; `None` when that is nothing."""
        records = self.buffers[lane].take()
        if not records:
            return None
        begins = {partition: self._positions[partition] for partition in set(map(partition_of, records))}
        batch = Batch(records, begins, self.generation)
        for partition, last in batch.last_records().items():
            self._positions[partition] = last.offset + 1
        for partition in self._to_stop.keys() & begins.keys():
            if not self.is_buffered(partition):
                self.stop(partition, self._to_stop[partition], self._positions[partition])
        return batch
