"""Records from Kafka, read from the checkpoints on, behind a client library that may forget, repeat or drop them.

The database decides where reading goes on: `Adoption` compares and seeks, `Polling` reads ahead what is adopted, and
the lanes take batches of it. After any exception from a poll, and whenever the assignment changed during one,
partitions are adopted again, because the client may have dropped records it had drained.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer

from consumers import unpacking
from consumers.adoption import Adoption, FirstStart
from consumers.assignment import Assignment, Stop
from consumers.caught_up import Drained
from consumers.comparison import LastRecords
from consumers.group_offsets import GroupOffsets
from consumers.member import Member
from consumers.membership import Membership
from consumers.parking import ParkingLimits
from consumers.polling import Polling
from consumers.records import Batch, Partition
from consumers.room import Room
from consumers.succession import Succession
from db.controls import Pauses
from db.database import Database
from db.waiting import wait_for
from domain.values import Id

logger = logging.getLogger("squad.source")


class Source:
    """The partitions of one consumer, dealt to lanes, each lane read on its own.

    Args:
        database: where the checkpoints are.
        group: the consumer group.
        topic: of the commands.
        client: arguments for every Kafka client, such as `bootstrap_servers` and security.
        membership: of the group.
        lanes: how many lanes the partitions are dealt to.
        max_records: of a batch.
        max_bytes: of a batch's records; a batch has one record at least.
        max_unpacked_bytes: what the records that came in one piece may unpack to.
        first_start: where a group without any checkpoint of the topic begins.
        parking: how many records may wait behind dead letters; a partition that stopped for it goes on with room.
        accept_producer_time: whether commands may be decided by their producers' time stamps.
        poll_seconds: how long a poll waits for records.
        commit_seconds: how often the group's offsets are committed, for other people's tools only.
        stop_seconds: how long the client may take to leave.
        stall_seconds: after how long without getting on the client is replaced by another; longer than a request takes.
        deploy_seconds: how long a half-done deploy is waited for.
    """

    def __init__(
        self,
        *,
        database: Database,
        group: str,
        topic: str,
        client: Mapping[str, Any],
        membership: Membership,
        lanes: int = 2,
        max_records: int = 2000,
        max_bytes: int = 4 * 1024 * 1024,
        max_unpacked_bytes: int = unpacking.DEFAULT_BYTES,
        first_start: FirstStart = "earliest",
        parking: ParkingLimits | None = None,
        accept_producer_time: bool = False,
        poll_seconds: float = 0.2,
        commit_seconds: float = 1,
        stop_seconds: float = 5,
        stall_seconds: float = 60,
        deploy_seconds: float = 60,
    ) -> None:
        unpacking.bound(max_unpacked_bytes)
        self._database = database
        self._group = group
        self._topic = topic
        self._client = client
        self._membership = membership
        self._max_records = max_records
        self._first_start: FirstStart = first_start
        self._room = Room(limits=parking or ParkingLimits())
        self._accept_producer_time = accept_producer_time
        self._poll_seconds = poll_seconds
        self._commit_seconds = commit_seconds
        self._stop_seconds = stop_seconds
        self._deploy_seconds = deploy_seconds
        self._assignment = Assignment(lanes=lanes, max_records=max_records, max_bytes=max_bytes)
        self._idle = [asyncio.Event() for _ in range(lanes)]
        for idle in self._idle:
            idle.set()
        self._succession = Succession(
            build=self._build_member,
            assignment=self._assignment,
            request_seconds=membership.request_seconds,
            stop_seconds=stop_seconds,
            stall_seconds=stall_seconds,
        )

    # Life

    async def start(self) -> None:
        """Connect and join the group.

        Raises:
            aiokafka.errors.KafkaError: the broker cannot be reached.
        """
        await self._succession.start()

    async def run(self) -> None:
        """Adopt partitions, read ahead and commit the group's offsets, until cancelled; a wedged client is replaced."""
        await self._succession.run()

    async def stop(self) -> None:
        """Commit the group's offsets once more and leave it, within a deadline."""
        await self._succession.stop()

    async def _finish(self) -> None:
        """Wait for the batches under way, whose partitions are taken away, within a budget; no longer than that.

        Whoever gets a partition before its last batch is committed reads records in vain and is fenced.
        """
        try:
            async with asyncio.timeout(self._membership.budget_seconds):
                for idle in self._idle:
                    await idle.wait()
        except TimeoutError:
            logger.warning(
                "batches under way took longer than %g s; whoever is faster with their partitions applies them",
                self._membership.budget_seconds,
            )

    def _build_member(self, stall_seconds: float) -> Member:
        consumer = AIOKafkaConsumer(**self._client, **self._membership.arguments(self._group))
        adoption = Adoption(
            consumer=consumer,
            database=self._database,
            last_records=LastRecords(client=self._client),
            assignment=self._assignment,
            group=self._group,
            topic=self._topic,
            first_start=self._first_start,
            room=self._room,
            deploy_seconds=self._deploy_seconds,
        )
        polling = Polling(
            consumer=consumer,
            assignment=self._assignment,
            max_records=self._max_records,
            poll_seconds=self._poll_seconds,
            accept_producer_time=self._accept_producer_time,
        )
        offsets = GroupOffsets(
            consumer=consumer,
            database=self._database,
            group=self._group,
            positions=self._assignment.positions,
            interval_seconds=self._commit_seconds,
            deadline_seconds=self._stop_seconds,
        )
        return Member(
            consumer=consumer,
            topic=self._topic,
            assignment=self._assignment,
            adoption=adoption,
            polling=polling,
            offsets=offsets,
            finish=self._finish,
            stall_seconds=stall_seconds,
        )

    # What the lanes call

    async def next_batch(self, lane: int) -> Batch | None:
        """Take the next batch of a lane, which is done with the last one; `None` when there was nothing for a while."""
        self._idle[lane].set()
        await wait_for(self._assignment.buffers[lane].filled, self._poll_seconds)
        batch = self._assignment.take_batch(lane)
        if batch is not None:
            self._idle[lane].clear()
        return batch

    def is_current(self, batch: Batch) -> bool:
        """Tell whether the batch's partitions are still ours by the assignment it was read under."""
        return batch.generation == self._assignment.generation

    def read_again(self, batch: Batch) -> None:
        """Forget where the batch's partitions were read to, and begin at their checkpoints again."""
        self._assignment.forget(batch.begins.keys())

    def stop_partition(self, partition: Partition, why: str, next_offset: int, awaits: Collection[Id] = ()) -> None:
        """Read no further in a partition, until its checkpoint is moved away from this offset.

        Args:
            partition: which one.
            why: for the operator.
            next_offset: its checkpoint, in front of the record that stopped it.
            awaits: streams in which there must be room: with that, it goes on by itself.
        """
        self._assignment.stop(partition, why, next_offset, awaits)

    # What operators ask for

    def pause(self, pauses: Pauses) -> None:
        """Read nothing of what is paused, and all else; the place in the group is kept."""
        self._assignment.pause(pauses)

    def release(self, partitions: Collection[Partition]) -> None:
        """Let those of them that are stopped go on from their checkpoints."""
        for partition in partitions:
            if partition in self._assignment.stops:
                logger.info("%s is no longer stopped", partition)
                self._assignment.go_on(partition)

    # What is shown

    @property
    def dealt(self) -> Collection[Partition]:
        """The partitions that are ours, read or not."""
        return self._assignment.dealt

    @property
    def paused(self) -> Mapping[Partition, str]:
        """The partitions of ours that are paused, and why."""
        return self._assignment.paused

    @property
    def stopped(self) -> Mapping[Partition, str]:
        """The partitions that are stopped, and why."""
        return {partition: stop.why for partition, stop in self._assignment.stops.items()}

    @property
    def stops(self) -> Mapping[Partition, Stop]:
        """The same with since when, and what each waits for."""
        return self._assignment.stops

    @property
    def positions(self) -> Mapping[Partition, int]:
        """The partitions that are read, and the offset that the next batch of each begins with."""
        return self._assignment.positions

    @property
    def read_ahead(self) -> int:
        """How many records were read that are in no batch yet."""
        return sum(buffer.count for buffer in self._assignment.buffers)

    @property
    def lags(self) -> Mapping[Partition, int]:
        """How many offsets of each partition that is read are in no batch yet, as far as the broker has told."""
        return self._succession.member.lags

    @property
    def drained(self) -> Mapping[Partition, Drained]:
        """What was seen last of each partition that had nothing more to read."""
        return self._succession.member.polling.drained

    @property
    def rebuilds(self) -> int:
        """How often the client was replaced because it stood still."""
        return self._succession.rebuilds

    @property
    def trouble(self) -> str | None:
        """What of the client does not get on, before it is replaced; `None`: all is well."""
        return self._succession.member.trouble

    @property
    def generation(self) -> int:
        """Counts assignments."""
        return self._assignment.generation

    @property
    def is_member(self) -> bool:
        """Whether the group counts us in: its partitions are dealt, even if none is ours."""
        return self._assignment.is_dealt
