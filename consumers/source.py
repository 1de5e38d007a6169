"""Records from Kafka, read from the checkpoints on, behind a client library that may forget, repeat or drop them.

The database decides where reading goes on. A partition is *adopted* once its checkpoint is loaded (or made) and sought;
until then its records are left alone. Adoption runs in a coroutine of its own: nothing awaits the database in the
rebalance listener, whose exceptions aiokafka swallows. After any exception from a poll, and whenever the assignment
changed during one, partitions are adopted again, because the client may have dropped records it had drained.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CorruptRecordException, KafkaError

from consumers import checkpoints
from consumers.records import Batch, Partition, Record
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
        self._lanes = lanes
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._first_start = first_start
        self._poll_milliseconds = round(poll_seconds * 1000)
        self._commit_seconds = commit_seconds
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
        self.generation = 0
        self._lane_of: dict[Partition, int] = {}
        self._positions: dict[Partition, int] = {}
        self._leftover: dict[int, list[Record]] = {}
        self._committed: dict[Partition, int] = {}
        self._stopped: dict[Partition, str] = {}
        self._suspects: dict[Partition, Literal["alone", "one by one"]] = {}
        self._changed = asyncio.Event()
        self._adopted = asyncio.Condition()

    # Life

    async def start(self) -> None:
        """Connect and join the group.

        Raises:
            aiokafka.errors.KafkaError: the broker cannot be reached.
        """
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        self._consumer.subscribe([self._topic], listener=_Listener(self._revoke, self._assign))

    async def stop(self) -> None:
        """Commit the group's offsets once more and leave it, within a deadline."""
        await self._commit_within_deadline()
        try:
            async with asyncio.timeout(self._stop_seconds):
                await self._consumer.stop()
        except TimeoutError:
            logger.warning("leaving the group took longer than %s s; left without goodbye", self._stop_seconds)

    async def run(self) -> None:
        """Adopt partitions and commit the group's offsets, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._adopt_for_ever())
            tasks.create_task(self._commit_for_ever())

    # What the lanes call

    async def next_batch(self, lane: int) -> Batch | None:
        """Read the next batch of a lane; `None` when there was nothing for a while."""
        partitions = self._partitions_to_poll(lane)
        if not partitions:
            await self._wait_for_adoption()
            return None
        generation = self.generation
        records = self._leftover.pop(lane, None) or await self._poll(partitions)
        if self.generation != generation:
            # The poll outlived its assignment. What it brought may stem from the new one, whose place would be lost.
            self._forget(_partitions_in(records))
            return None
        if not records:
            return None
        records = self._within_bytes(lane, records)
        batch = Batch(
            records,
            {partition: self._positions[partition] for partition in _partitions_in(records)},
            generation,
        )
        for partition, last in batch.last_records().items():
            self._positions[partition] = last.offset + 1
        return batch

    def is_current(self, batch: Batch) -> bool:
        """Tell whether the batch's partitions are still ours by the assignment it was read under."""
        return batch.generation == self.generation

    def read_again(self, batch: Batch) -> None:
        """Forget where the batch's partitions were read to, and begin at their checkpoints again."""
        self._forget(batch.begins)

    def stop_partition(self, partition: Partition, why: str) -> None:
        """Read no further in a partition, for this process's life."""
        self._stopped[partition] = why
        self._forget([partition])
        logger.error("partition %s is stopped: %s", partition, why)

    @property
    def stopped(self) -> Mapping[Partition, str]:
        """The partitions that are stopped, and why."""
        return self._stopped

    @property
    def positions(self) -> Mapping[Partition, int]:
        """The adopted partitions, and the offset that the next batch of each begins with."""
        return self._positions

    # Assignment: called by the client, so nothing here waits

    def _revoke(self) -> None:
        self.generation += 1
        self._lane_of.clear()
        self._positions.clear()
        self._leftover.clear()
        self._suspects.clear()

    def _assign(self, partitions: Collection[TopicPartition]) -> None:
        self._revoke()
        assigned = sorted(Partition(each.topic, each.partition) for each in partitions)
        self._lane_of.update((partition, number % self._lanes) for number, partition in enumerate(assigned))
        logger.info("assigned %s", ", ".join(map(str, assigned)) or "no partitions")
        self._changed.set()

    def _forget(self, partitions: Iterable[Partition]) -> None:
        lost = set(partitions)
        for partition in lost:
            self._positions.pop(partition, None)
        for lane, records in list(self._leftover.items()):
            if lost.intersection(_partitions_in(records)):
                # Left-overs are one run of records per lane: dropped together, read again together.
                del self._leftover[lane]
                for partition in _partitions_in(records):
                    self._positions.pop(partition, None)
        self._changed.set()

    # Adoption

    async def _adopt_for_ever(self) -> None:
        waits = jittered_seconds()
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._adopt_once()
                waits = jittered_seconds()
            except Exception as error:
                if not isinstance(error, KafkaError) and classify(error) is not Failure.TRANSIENT:
                    raise
                logger.warning("cannot load checkpoints, trying again: %s", error)
                self._changed.set()
                await asyncio.sleep(next(waits))

    async def _adopt_once(self) -> None:
        generation = self.generation
        wanted = self._lane_of.keys() - self._positions.keys() - self._stopped.keys()
        if not wanted:
            return
        handles = [TopicPartition(*partition) for partition in wanted]
        starts = _by_partition(await self._consumer.beginning_offsets(handles))
        ends = _by_partition(await self._consumer.end_offsets(handles))
        stored = await self._load_or_create(wanted, starts if self._first_start == "earliest" else ends)
        if self.generation != generation:
            return
        for partition, offset in stored.items():
            if not starts[partition] <= offset <= ends[partition]:
                self.stop_partition(partition, _out_of_range(offset, starts[partition], ends[partition]))
                continue
            self._consumer.seek(TopicPartition(*partition), offset)
            self._positions[partition] = offset
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
        suspects = [each for each in self._suspects if self._lane_of.get(each) == lane]
        if suspects:
            return [each for each in suspects if each in self._positions][:1]
        return [each for each in self._positions if self._lane_of[each] == lane]

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
        return [record for some in found.values() for record in some if _partition_of(record) in self._positions]

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
                self.stop_partition(first, _unreadable(self._positions.get(first), error))
            else:
                self._suspects[first] = "one by one"
        logger.warning("polling failed, reading again from the checkpoints: %s: %s", type(error).__name__, error)
        self._forget(list(self._positions))
        await asyncio.sleep(self._poll_milliseconds / 1000)

    def _within_bytes(self, lane: int, records: list[Record]) -> list[Record]:
        size = 0
        for count, record in enumerate(records):
            size += len(record.key or b"") + len(record.value or b"")
            if size > self._max_bytes and count:
                self._leftover[lane] = records[count:]
                return records[:count]
        return records

    # The group's offsets, for other people's tools

    async def _commit_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._commit_seconds)
            await self._commit_within_deadline()

    async def _commit_within_deadline(self) -> None:
        try:
            async with asyncio.timeout(self._stop_seconds):
                await self._commit_once()
        except Exception as error:
            if not isinstance(error, KafkaError | TimeoutError) and classify(error) is not Failure.TRANSIENT:
                raise
            logger.debug("the group's offsets were not committed: %s", error)

    async def _commit_once(self) -> None:
        if all(self._committed.get(partition) == offset for partition, offset in self._positions.items()):
            return
        async with self._database.transaction() as session:
            stored = await checkpoints.load(session, self._group, list(self._positions))
        news = {
            partition: offset
            for partition, offset in stored.items()
            if partition in self._positions and self._committed.get(partition) != offset
        }
        if news:
            await self._consumer.commit({TopicPartition(*partition): offset for partition, offset in news.items()})
            self._committed.update(news)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # the client library is untyped
    """Tells the source at once, without waiting for anything."""

    def __init__(self, revoke: Callable[[], None], assign: Callable[[Collection[TopicPartition]], None]) -> None:
        self._revoke = revoke
        self._assign = assign

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """The old assignment is gone."""
        self._revoke()

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """A new assignment begins."""
        self._assign(assigned)


def _partition_of(record: Record) -> Partition:
    return Partition(record.topic, record.partition)


def _partitions_in(records: Iterable[Record]) -> set[Partition]:
    return {_partition_of(record) for record in records}


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
