"""Where reading begins: each partition of ours is compared with its checkpoint, sought to it, and only then read.

This runs in a coroutine of its own: nothing awaits the database in the rebalance listener, whose exceptions the client
swallows. A partition whose log does not fit its checkpoint is stopped; it comes back when the checkpoint is moved.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any, Literal

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError

from consumers import checkpoints, comparison
from consumers.assignment import Assignment
from consumers.checkpoints import Checkpoint
from consumers.comparison import LastRecords
from consumers.failing import Failing, still_failing
from consumers.parking import ParkingLimits
from consumers.records import Partition
from consumers.room import Room
from db.database import Database
from db.telling import Spell
from db.waiting import jittered_seconds, wait_for

logger = logging.getLogger("squad.source")

FirstStart = Literal["earliest", "latest", "refuse"]
"""Where a group begins that has no checkpoint of the topic at all."""


class NoCheckpointError(RuntimeError):
    """The group has no checkpoint of the topic, and is not to begin by itself."""


class Adoption:
    """Adopts partitions.

    Args:
        consumer: the client that is the group's member.
        database: where the checkpoints are.
        last_records: reads what was applied last.
        assignment: what is to be adopted.
        group: the consumer group.
        topic: of the commands.
        first_start: where a group without any checkpoint of the topic begins.
        room: says whether what may not be parked may be parked again; none: by the limits that are the default.
        recheck_seconds: how often it is looked whether a stopped partition's checkpoint was moved.
        deploy_seconds: how long a half-done deploy is waited for.
    """

    def __init__(
        self,
        *,
        consumer: Any,  # noqa: ANN401 - the client library is untyped
        database: Database,
        last_records: LastRecords,
        assignment: Assignment,
        group: str,
        topic: str,
        first_start: FirstStart,
        room: Room | None = None,
        recheck_seconds: float = 2,
        deploy_seconds: float = 60,
    ) -> None:
        self._consumer = consumer
        self._database = database
        self._last_records = last_records
        self._assignment = assignment
        self._group = group
        self._topic = topic
        self._first_start = first_start
        self._room = room or Room(limits=ParkingLimits())
        self._recheck_seconds = recheck_seconds
        self._deploy_seconds = deploy_seconds
        self.failing: Failing | None = None
        """Since when no broker says where any partition begins and ends, and nothing is read."""
        self._silent: set[Partition] = set()

    async def run(self) -> None:
        """Adopt whatever is to be adopted, until cancelled.

        Raises:
            NoCheckpointError: the group has none, and `first_start` is `refuse`.
            HalfDeployedError: a table, column or right is missing, and did not come in time.
        """
        waits = jittered_seconds()
        spell = Spell(logger, "checkpoints cannot be loaded", deploy_seconds=self._deploy_seconds)
        while True:
            await wait_for(self._assignment.changed, self._recheck_seconds)
            self._assignment.changed.clear()
            try:
                await self.resume_once()
                await self.adopt_once()
            except KafkaError as error:
                spell.meet(error)
            except Exception as error:  # noqa: BLE001 - `bear` raises what is not waited out
                spell.bear(error)
            else:
                waits = jittered_seconds()
                spell.end()
                continue
            self._assignment.changed.set()
            await asyncio.sleep(next(waits))

    async def resume_once(self) -> None:
        """Let those stopped partitions be adopted again whose checkpoints were moved since, or that have room again."""
        stopped = self._assignment.stopped_here()
        if not stopped:
            return
        async with self._database.transaction() as session:
            stored = await checkpoints.load(session, self._group, stopped)
            stops = {partition: self._assignment.stops[partition] for partition in stopped}
            roomy = await self._room.find(session, {each: stop.awaits for each, stop in stops.items() if stop.awaits})
        for partition in stopped & self._assignment.stopped_here():
            if self._assignment.stops[partition].is_over(stored.get(partition)):
                logger.info("the checkpoint of %s was moved; the partition is no longer stopped", partition)
                self._assignment.go_on(partition)
            elif partition in roomy:
                logger.info("there is room to park again; %s is no longer stopped", partition)
                self._assignment.go_on(partition)

    async def adopt_once(self) -> None:
        """Adopt each partition that waits for it, or stop it.

        Raises:
            KafkaError: some have no broker that answers, or could not be compared in time; the others are adopted.
        """
        generation = self._assignment.generation
        wanted = self._assignment.to_adopt()
        if not wanted:
            self.failing = None
            return
        starts, ends, error = await self._ranges_of(wanted)
        if error is not None and not starts:
            raise error
        stored = await self._load_or_create(starts)
        faults = {
            partition: comparison.find_fault_of_range(partition, checkpoint, starts[partition], ends[partition])
            for partition, checkpoint in stored.items()
        }
        late = await self._compare(stored, starts, ends, faults)
        if self._assignment.generation != generation:
            return
        for partition in stored.keys() - late:
            self._settle(partition, stored[partition], faults[partition])
        if error is not None:
            raise error
        if late:
            raise KafkaTimeoutError(f"the last records of {', '.join(map(str, sorted(late)))} were not read in time")

    async def _compare(
        self,
        stored: Mapping[Partition, Checkpoint],
        starts: Mapping[Partition, int],
        ends: Mapping[Partition, int],
        faults: dict[Partition, str | None],
    ) -> set[Partition]:
        """Add the faults of what stands in front of the checkpoints; give the partitions that did not answer."""
        inside = {partition: stored[partition] for partition, fault in faults.items() if fault is None}
        asked = {
            partition: checkpoint.next_offset - 1
            for partition, checkpoint in inside.items()
            if comparison.is_comparable(checkpoint, starts[partition])
        }
        found = await self._last_records.read(asked)
        for partition in found:
            faults[partition] = comparison.find_fault_of_record(
                partition, stored[partition], found[partition], starts[partition], ends[partition]
            )
        for partition, checkpoint in inside.items():
            if checkpoint.last_timestamp is not None and partition not in asked:
                logger.info("the record applied last in %s is deleted already; not compared", partition)
        return asked.keys() - found.keys()

    def _settle(self, partition: Partition, checkpoint: Checkpoint, fault: str | None) -> None:
        if fault is not None:
            self._assignment.stop_at(partition, fault, checkpoint)
            return
        self._consumer.seek(TopicPartition(*partition), checkpoint.next_offset)
        self._assignment.adopt(partition, checkpoint)
        if partition in self._assignment.positions:
            logger.info("reading %s from %d", partition, checkpoint.next_offset)

    async def _load_or_create(self, starts: Mapping[Partition, int]) -> dict[Partition, Checkpoint]:
        """Load the checkpoints; make those that are missing, each in front of its first record.

        Only for a group that never read the topic it is a matter of choice where it begins. A partition that was added
        later begins at its earliest record, whatever the choice was: nothing of it may be skipped.
        """
        async with self._database.transaction() as session:
            known = await checkpoints.load_topic(session, self._group, self._topic)
        missing = starts.keys() - known.keys()
        if missing:
            first = (
                {partition: starts[partition] for partition in missing} if known else await self._first_offsets(starts)
            )
            async with self._database.transaction() as session:
                await checkpoints.create(session, self._group, first)
                known = await checkpoints.load_topic(session, self._group, self._topic)
        return {partition: known[partition] for partition in starts}

    async def _first_offsets(self, wanted: Collection[Partition]) -> dict[Partition, int]:
        """Decide for all partitions at once, also those of other members, who must not take theirs for added later."""
        if self._first_start == "refuse":
            raise NoCheckpointError(
                f"group {self._group} has no checkpoint of {self._topic}, and is not to begin by itself"
            )
        every = {Partition(self._topic, each) for each in self._consumer.partitions_for_topic(self._topic) or ()}
        starts, ends, error = await self._ranges_of(every | set(wanted))
        if error is not None:
            raise error
        return starts if self._first_start == "earliest" else ends

    async def _ranges_of(
        self, partitions: Collection[Partition]
    ) -> tuple[dict[Partition, int], dict[Partition, int], KafkaError | None]:
        """Ask where partitions begin and end, each by itself: one whose broker is away keeps no other waiting for it.

        Returns:
            The starts and the ends of those that were answered, and the error of another, if there is one.
        """
        asked = list(partitions)
        answers = await asyncio.gather(*map(self._range_of, asked), return_exceptions=True)
        ranges: dict[Partition, tuple[int, int]] = {}
        error: KafkaError | None = None
        for partition, answer in zip(asked, answers, strict=True):
            match answer:
                case KafkaError():
                    error = answer
                case BaseException():
                    raise answer
                case _:
                    ranges[partition] = answer
        # With something to read from, it is no matter of the client.
        is_failing = error is not None and not ranges and not self._assignment.positions
        self.failing = still_failing(self.failing, error) if error is not None and is_failing else None
        self._tell_silent(set(asked) - ranges.keys(), error)
        starts, ends = ({partition: each[place] for partition, each in ranges.items()} for place in (0, 1))
        return starts, ends, error

    async def _range_of(self, partition: Partition) -> tuple[int, int]:
        handle = TopicPartition(*partition)
        starts = await self._consumer.beginning_offsets([handle])
        ends = await self._consumer.end_offsets([handle])
        return starts[handle], ends[handle]

    def _tell_silent(self, silent: set[Partition], error: KafkaError | None) -> None:
        if silent - self._silent and error is not None:
            names = ", ".join(map(str, sorted(silent)))
            logger.warning("no broker says where %s begin and end (%s); all else is read", names, type(error).__name__)
        self._silent = silent
