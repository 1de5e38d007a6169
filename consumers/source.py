"""Records from Kafka, read from the checkpoints on, behind a client library that may forget, repeat or drop them.

The database decides where reading goes on. A partition is *adopted* once its checkpoint is loaded (or made) and sought;
until then its records are left alone. Adoption runs in a coroutine of its own: nothing awaits the database in the
rebalance listener, whose exceptions aiokafka swallows. After any exception from a poll, and whenever the assignment
changed during one, partitions are adopted again, because the client may have dropped records it had drained.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    CorruptRecordException,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from consumers import checkpoints, kafka_client
from consumers.assignment import Assignment
from consumers.group_offsets import GroupOffsets
from consumers.records import Batch, Partition, Record, partition_of
from db.database import Database
from db.errors import Failure, classify
from db.waiting import jittered_seconds

logger = logging.getLogger("squad.source")

NEVER_MILLISECONDS: Final = 2_147_483_647
"""For the client's limit between polls: a batch may wait for the database as long as it takes, and keeps its place in
the group. Progress is watched by ourselves; zombies are fenced by the checkpoint."""


class Source:
    """The partitions of one consumer, dealt to lanes, each lane read on its own.

    Args:
        database: where the checkpoints are.
        group: the consumer group.
        topic: of the commands.
        client: arguments for the Kafka client, such as `bootstrap_servers` and security.
        lanes: how many lanes the partitions are dealt to.
        max_records: of a batch.
        max_bytes: of a batch's keys and values; a batch has one record at least.
        first_start: where a group without a checkpoint begins.
        poll_seconds: how long a poll waits for records.
        session_seconds, heartbeat_seconds: of the group membership.
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
        lanes: int = 2,
        max_records: int = 500,
        max_bytes: int = 4 * 1024 * 1024,
        first_start: Literal["earliest", "latest"] = "earliest",
        poll_seconds: float = 0.2,
        session_seconds: float = 45,
        heartbeat_seconds: float = 5,
        commit_seconds: float = 1,
        stop_seconds: float = 5,
    ) -> None:
        self._database = database
        self._group = group
        self._topic = topic
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._first_start = first_start
        self._poll_milliseconds = round(poll_seconds * 1000)
        self._stop_seconds = stop_seconds
        self._consumer = AIOKafkaConsumer(
            **client,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            session_timeout_ms=round(session_seconds * 1000),
            heartbeat_interval_ms=round(heartbeat_seconds * 1000),
            max_poll_interval_ms=NEVER_MILLISECONDS,
            # One request per broker is under way at a time, and a partition drained meanwhile waits for its end.
            fetch_max_wait_ms=100,
        )
        self._assignment = Assignment(lanes=lanes)
        self._suspects: dict[Partition, Literal["alone", "one by one"]] = {}
        self._adopted = asyncio.Condition()
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

    async def stop(self) -> None:
        """Commit the group's offsets once more and leave it, within a deadline."""
        await self._offsets.commit_once()
        try:
            async with asyncio.timeout(self._stop_seconds):
                await self._consumer.stop()
        except TimeoutError:
            logger.warning("leaving the group took longer than %s s; left without goodbye", self._stop_seconds)

    async def run(self) -> None:
        """Adopt partitions and commit the group's offsets, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._adopt_for_ever())
            tasks.create_task(self._offsets.run())

    # What the lanes call

    async def next_batch(self, lane: int) -> Batch | None:
        """Read the next batch of a lane; `None` when there was nothing for a while."""
        partitions = self._partitions_to_poll(lane)
        if not partitions:
            self._raise_refusal()
            await self._wait_for_adoption()
            return None
        generation = self._assignment.generation
        records = self._assignment.take_left_over(lane) or await self._poll(partitions)
        if self._assignment.generation != generation:
            # The poll outlived its assignment. What it brought may stem from the new one, whose place would be lost.
            self._assignment.forget(set(map(partition_of, records)))
            return None
        return self._assignment.make_batch(lane, records, self._max_bytes) if records else None

    def is_current(self, batch: Batch) -> bool:
        """Tell whether the batch's partitions are still ours by the assignment it was read under."""
        return batch.generation == self._assignment.generation

    def read_again(self, batch: Batch) -> None:
        """Forget where the batch's partitions were read to, and begin at their checkpoints again."""
        self._assignment.forget(batch.begins.keys())

    def stop_partition(self, partition: Partition, why: str) -> None:
        """Read no further in a partition, for this process's life."""
        self._assignment.stop(partition, why)
        logger.error("partition %s is stopped: %s", partition, why)

    @property
    def stopped(self) -> Mapping[Partition, str]:
        """The partitions that are stopped, and why."""
        return self._assignment.stopped

    @property
    def positions(self) -> Mapping[Partition, int]:
        """The partitions that are read, and the offset that the next batch of each begins with."""
        return self._assignment.positions

    @property
    def generation(self) -> int:
        """Counts assignments."""
        return self._assignment.generation

    # Adoption

    async def _adopt_for_ever(self) -> None:
        waits = jittered_seconds()
        while True:
            await self._assignment.changed.wait()
            self._assignment.changed.clear()
            try:
                await self._adopt_once()
                waits = jittered_seconds()
            except Exception as error:
                if not isinstance(error, KafkaError) and classify(error) is not Failure.TRANSIENT:
                    raise
                logger.warning("cannot load checkpoints, trying again: %s", error)
                self._assignment.changed.set()
                await asyncio.sleep(next(waits))

    async def _adopt_once(self) -> None:
        generation = self._assignment.generation
        wanted = self._assignment.to_adopt()
        if not wanted:
            return
        handles = [TopicPartition(*partition) for partition in wanted]
        starts = _by_partition(await self._consumer.beginning_offsets(handles))
        ends = _by_partition(await self._consumer.end_offsets(handles))
        stored = await self._load_or_create(wanted, starts if self._first_start == "earliest" else ends)
        if self._assignment.generation != generation:
            return
        for partition, offset in stored.items():
            if not starts[partition] <= offset <= ends[partition]:
                self.stop_partition(partition, _out_of_range(offset, starts[partition], ends[partition]))
                continue
            self._consumer.seek(TopicPartition(*partition), offset)
            self._assignment.adopt(partition, offset)
        logger.info("reading from %s", ", ".join(f"{each}@{offset}" for each, offset in sorted(stored.items())))
        async with self._adopted:
            self._adopted.notify_all()

    async def _load_or_create(
        self, wanted: Collection[Partition], first: Mapping[Partition, int]
    ) -> dict[Partition, int]:
        async with self._database.transaction() as session:
            stored = await checkpoints.load(session, self._group, wanted)
            missing = {partition: first[partition] for partition in wanted if partition not in stored}
            if not missing:
                return stored
            await checkpoints.create(session, self._group, missing)
            return await checkpoints.load(session, self._group, wanted)

    def _raise_refusal(self) -> None:
        """Raise what the group refuses us: the client tells only who polls, and without partitions nobody does."""
        try:
            self._consumer._coordinator.check_errors()
        except (GroupAuthorizationFailedError, TopicAuthorizationFailedError):
            raise
        except KafkaError as error:
            logger.warning("joining the group failed, trying again: %s: %s", type(error).__name__, error)

    async def _wait_for_adoption(self) -> None:
        async with self._adopted:
            try:
                async with asyncio.timeout(self._poll_milliseconds / 1000):
                    await self._adopted.wait()
            except TimeoutError:
                return

    # Reading

    def _partitions_to_poll(self, lane: int) -> list[Partition]:
        """Give the lane's partitions; one alone while it is being found out which of them cannot be read."""
        suspects = [each for each in self._suspects if self._assignment.lane_of(each) == lane]
        if suspects:
            return [each for each in suspects if each in self.positions][:1]
        return self._assignment.adopted_of(lane)

    async def _poll(self, partitions: Sequence[Partition]) -> list[Record]:
        """Poll once; never cancelled from here, because that would cost the client's records and its watchdog."""
        one_by_one = self._suspects.get(partitions[0]) == "one by one"
        try:
            found = await self._consumer.getmany(
                *(TopicPartition(*partition) for partition in partitions),
                timeout_ms=self._poll_milliseconds,
                max_records=1 if one_by_one else self._max_records,
            )
        except Exception as error:  # noqa: BLE001 - whatever the client cannot decode, it raises as it comes
            await self._recover(partitions, error)
            return []
        if len(partitions) == 1 and not (found and one_by_one):
            self._suspects.pop(partitions[0], None)
        # A partition that was given up while the poll ran has no place to begin from.
        return [record for some in found.values() for record in some if partition_of(record) in self.positions]

    async def _recover(self, partitions: Sequence[Partition], error: Exception) -> None:
        """Read everything again from the checkpoints, and find out who cannot be read, if that is what is wrong.

        What the client cannot decode (a checksum, a header's name, a codec) it raises for ever, and drops what it had
        drained of other partitions: asked for together, they would all stand still. So each is asked for alone, the
        one that fails then record by record, and is stopped where no further record comes.
        """
        if not isinstance(error, KafkaError) or isinstance(error, CorruptRecordException):
            first = partitions[0]
            if len(partitions) > 1:
                self._suspects.update(dict.fromkeys(partitions, "alone"))
            elif self._suspects.get(first) == "one by one":
                del self._suspects[first]
                self.stop_partition(first, _unreadable(self.positions.get(first), error))
            else:
                self._suspects[first] = "one by one"
        logger.warning("polling failed, reading again from the checkpoints: %s: %s", type(error).__name__, error)
        self._assignment.forget(list(self.positions))
        await asyncio.sleep(self._poll_milliseconds / 1000)


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


def _by_partition(offsets: Mapping[TopicPartition, int]) -> dict[Partition, int]:
    return {Partition(each.topic, each.partition): offset for each, offset in offsets.items()}


def _unreadable(offset: int | None, error: Exception) -> str:
    return f"the record at or after offset {offset} cannot be read: {type(error).__name__}: {error}"


def _out_of_range(offset: int, start: int, end: int) -> str:
    if offset < start:
        return f"the checkpoint is {offset}, but the log starts at {start}: {start - offset} records are gone unread"
    return (
        f"the checkpoint is {offset}, but the log ends at {end}: it is {offset - end} records short, or another topic"
    )
