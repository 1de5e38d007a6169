"""Records from Kafka, read from the checkpoints on, behind a client library that may forget, repeat or drop them.

The database decides where reading goes on: `Adoption` compares and seeks, `Polling` reads ahead what is adopted, and
the lanes take batches of it. After any exception from a poll, and whenever the assignment changed during one,
partitions are adopted again, because the client may have dropped records it had drained.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from consumers import kafka_client, unpacking
from consumers.adoption import Adoption, FirstStart
from consumers.assignment import Assignment
from consumers.caught_up import Drained
from consumers.comparison import LastRecords
from consumers.group_offsets import GroupOffsets
from consumers.membership import Membership
from consumers.polling import Polling
from consumers.records import Batch, Partition
from db.controls import Pauses
from db.database import Database
from db.waiting import wait_for

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
        accept_producer_time: whether commands may be decided by their producers' time stamps.
        poll_seconds: how long a poll waits for records.
        commit_seconds: how often the group's offsets are committed, for other people's tools only.
        stop_seconds: how long the client may take to leave.
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
        accept_producer_time: bool = False,
        poll_seconds: float = 0.2,
        commit_seconds: float = 1,
        stop_seconds: float = 5,
    ) -> None:
        unpacking.bound(max_unpacked_bytes)
        self._topic = topic
        self._poll_seconds = poll_seconds
        self._stop_seconds = stop_seconds
        self._consumer = AIOKafkaConsumer(**client, **membership.arguments(group))
        self._assignment = Assignment(lanes=lanes, max_records=max_records, max_bytes=max_bytes)
        self._adoption = Adoption(
            consumer=self._consumer,
            database=database,
            last_records=LastRecords(client=client),
            assignment=self._assignment,
            group=group,
            topic=topic,
            first_start=first_start,
        )
        self._polling = Polling(
            consumer=self._consumer,
            assignment=self._assignment,
            max_records=max_records,
            poll_seconds=poll_seconds,
            accept_producer_time=accept_producer_time,
        )
        self._offsets = GroupOffsets(
            consumer=self._consumer,
            database=database,
            group=group,
            positions=self._assignment.positions,
            interval_seconds=commit_seconds,
            deadline_seconds=stop_seconds,
        )

    # Life

    async def start(self) -> None:
        """Connect and join the group.

        Raises:
            aiokafka.errors.KafkaError: the broker cannot be reached.
        """
        await kafka_client.start(self._consumer)
        self._consumer.subscribe([self._topic], listener=_Listener(self._assignment))

    async def run(self) -> None:
        """Adopt partitions, read ahead and commit the group's offsets, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._adoption.run())
            tasks.create_task(self._offsets.run())
            for lane in range(len(self._assignment.buffers)):
                tasks.create_task(self._polling.run(lane))

    async def stop(self) -> None:
        """Commit the group's offsets once more and leave it, within a deadline."""
        await self._offsets.commit_once()
        try:
            async with asyncio.timeout(self._stop_seconds):
                await self._consumer.stop()
        except TimeoutError:
            logger.warning("leaving the group took longer than %s s; left without goodbye", self._stop_seconds)

    # What the lanes call

    async def next_batch(self, lane: int) -> Batch | None:
        """Take the next batch of a lane; `None` when there was nothing for a while."""
        await wait_for(self._assignment.buffers[lane].filled, self._poll_seconds)
        return self._assignment.take_batch(lane)

    def is_current(self, batch: Batch) -> bool:
        """Tell whether the batch's partitions are still ours by the assignment it was read under."""
        return batch.generation == self._assignment.generation

    def read_again(self, batch: Batch) -> None:
        """Forget where the batch's partitions were read to, and begin at their checkpoints again."""
        self._assignment.forget(batch.begins.keys())

    def stop_partition(self, partition: Partition, why: str, next_offset: int) -> None:
        """Read no further in a partition, until its checkpoint is moved away from this offset."""
        self._assignment.stop(partition, why, next_offset)

    # What operators ask for

    def pause(self, pauses: Pauses) -> None:
        """Read nothing of what is paused, and all else; the place in the group is kept."""
        self._assignment.pause(pauses)

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
    def positions(self) -> Mapping[Partition, int]:
        """The partitions that are read, and the offset that the next batch of each begins with."""
        return self._assignment.positions

    @property
    def lags(self) -> Mapping[Partition, int]:
        """How many offsets of each partition that is read are in no batch yet, as far as the broker has told."""
        found = {}
        for partition, position in self._assignment.positions.items():
            handle = TopicPartition(*partition)
            end = self._consumer.highwater(handle) if handle in self._consumer.assignment() else None
            if end is not None:
                found[partition] = max(0, end - position)
        return found

    @property
    def drained(self) -> Mapping[Partition, Drained]:
        """What was seen last of each partition that had nothing more to read."""
        return self._polling.drained

    @property
    def generation(self) -> int:
        """Counts assignments."""
        return self._assignment.generation

    @property
    def is_member(self) -> bool:
        """Whether the group counts us in: its partitions are dealt, even if none is ours."""
        return self._assignment.is_dealt


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # the client library is untyped
    """Tells the assignment at once, without waiting for anything: the client swallows what a listener raises."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """The old assignment is gone."""
        self._assignment.revoke()

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """A new assignment begins."""
        partitions = [Partition(each.topic, each.partition) for each in assigned]
        self._assignment.assign(partitions)
        logger.info("assigned %s", ", ".join(map(str, sorted(partitions))) or "no partitions")
