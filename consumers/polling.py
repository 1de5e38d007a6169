"""Reading ahead for the lanes: what the client has fetched is taken from it at once, so that it fetches on.

The client asks a broker for nothing while records of any of that broker's partitions lie with it; a lane that polled
for itself let all others wait while it was in its transaction.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final, Literal

from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from consumers.assignment import Assignment
from consumers.buffer import BATCHES_AHEAD
from consumers.caught_up import Drained
from consumers.comparison import is_undecodable
from consumers.failing import Failing, still_failing
from consumers.membership import raise_fenced
from consumers.records import LOG_APPEND_TIME, Partition, Record
from consumers.silence import Silence
from db.telling import Spell
from db.waiting import wait_for

logger = logging.getLogger("squad.source")

_GAP_POLLS: Final = 5
"""Polls of a lane that lie further apart than so many do not count as asking."""


class Polling:
    """Fills the lanes' buffers.

    Args:
        consumer: the client that is the group's member.
        assignment: which partitions are ours; is told what was read.
        max_records: of a batch.
        poll_seconds: how long a poll waits for records.
        accept_producer_time: whether records may be stamped by their producers.
    """

    def __init__(
        self,
        *,
        consumer: Any,  # noqa: ANN401 - the client library is untyped
        assignment: Assignment,
        max_records: int,
        poll_seconds: float,
        accept_producer_time: bool,
    ) -> None:
        self._consumer = consumer
        self._assignment = assignment
        self._max_records = max_records
        self._poll_seconds = poll_seconds
        self._accept_producer_time = accept_producer_time
        self._joining = Spell(logger, "joining the group failed")
        self._suspects: dict[Partition, Literal["alone", "one by one"]] = {}
        self._spells: defaultdict[int, Spell] = defaultdict(
            lambda: Spell(logger, "polling failed, reading again from the checkpoints")
        )
        self.failing: dict[int, Failing] = {}
        """The lanes whose every poll fails, and not because of what a record is like."""
        self.asked_at: dict[int, float] = {}
        """When each lane's poll began that has not come back yet, by `time.monotonic`."""
        self.silence = Silence(gap_seconds=_GAP_POLLS * poll_seconds)
        self.drained: dict[Partition, Drained] = {}
        """What was seen last of each partition that had nothing more to read."""

    async def run(self, lane: int) -> None:
        """Read ahead for a lane, until cancelled."""
        buffer = self._assignment.buffers[lane]
        while True:
            await buffer.room.wait()
            await self.poll_once(lane)

    async def poll_once(self, lane: int) -> None:
        """Read once for a lane, or wait a while for something to read."""
        partitions = self._partitions_to_poll(lane)
        if not partitions:
            self._raise_refusal()
            if not self._assignment.to_adopt():
                # Nothing is asked for, and so nothing fails.
                self._end_failing(lane)
            self._assignment.adopted.clear()
            await wait_for(self._assignment.adopted, self._poll_seconds)
            return
        generation = self._assignment.generation
        self.asked_at[lane] = monotonic()
        try:
            found = await self._poll(partitions)
        except Exception as error:  # noqa: BLE001 - whatever the client cannot decode, it raises as it comes
            raise_fenced(error)
            if not is_undecodable(error):
                self.failing[lane] = still_failing(self.failing.get(lane), error)
                self._spells[lane].meet(error)
            await self._recover(partitions, error)
            return
        finally:
            self.asked_at.pop(lane, None)
        self._end_failing(lane)
        if self._assignment.generation != generation:
            # The poll outlived its assignment. What it brought may stem from the new one, whose place would be lost.
            self._assignment.forget(list(found))
            return
        if len(partitions) == 1 and not (found and self._suspects.get(partitions[0]) == "one by one"):
            self._suspects.pop(partitions[0], None)
        for partition, records in found.items():
            # A partition that was given up while the poll ran has no place to begin from.
            if partition in self._assignment.positions:
                self._keep(partition, records)
        await self._see_progress(partitions)

    def _end_failing(self, lane: int) -> None:
        self.failing.pop(lane, None)
        self._spells[lane].end()

    def _raise_refusal(self) -> None:
        """Raise what the group refuses us: the client tells only who polls, and without partitions nobody does."""
        try:
            self._consumer._coordinator.check_errors()
        except (GroupAuthorizationFailedError, TopicAuthorizationFailedError):
            raise
        except KafkaError as error:
            raise_fenced(error)
            self._joining.meet(error)
        else:
            self._joining.end()

    def _partitions_to_poll(self, lane: int) -> list[Partition]:
        """Give the lane's partitions; one alone while it is being found out which of them cannot be read."""
        adopted = self._assignment.adopted_of(lane)
        suspects = [each for each in self._suspects if self._assignment.lane_of(each) == lane]
        return [each for each in suspects if each in adopted][:1] if suspects else adopted

    async def _poll(self, partitions: Sequence[Partition]) -> dict[Partition, list[Record]]:
        """Poll; never cancelled from here, because that would cost the client's records and its watchdog.

        The client gives one partition's records until it has no more of them. So those that have nothing in the buffer
        are asked first, each for its share.
        """
        hungry = [each for each in partitions if not self._assignment.is_buffered(each)]
        if self._suspects.get(partitions[0]) == "one by one":
            return await self._get(partitions, self._poll_seconds, 1)
        if hungry and len(hungry) < len(partitions):
            share = max(1, BATCHES_AHEAD * self._max_records // len(partitions))
            if found := await self._get(hungry, 0, min(share, self._max_records)):
                return found
        return await self._get(partitions, self._poll_seconds, self._max_records)

    async def _get(
        self, partitions: Sequence[Partition], seconds: float, max_records: int
    ) -> dict[Partition, list[Record]]:
        handles = [TopicPartition(*partition) for partition in partitions]
        found = await self._consumer.getmany(*handles, timeout_ms=round(seconds * 1000), max_records=max_records)
        return {Partition(*handle): records for handle, records in found.items()}

    def _keep(self, partition: Partition, records: Sequence[Record]) -> None:
        """Keep records up to the first one that may not be decided by its time stamp."""
        fit = records if self._accept_producer_time else _stamped_by_broker(records)
        if fit:
            self._assignment.keep(partition, fit)
        if len(fit) < len(records):
            self._assignment.stop_behind(
                partition,
                f"the record at offset {records[len(fit)].offset} is stamped by its producer, but commands are decided"
                " by the broker's time",
            )

    async def _see_progress(self, partitions: Sequence[Partition]) -> None:
        """Note which have nothing more to read, and nothing read that is not in a batch; and how far the client is."""
        for partition in partitions:
            if partition not in self._assignment.positions or self._assignment.is_buffered(partition):
                continue
            handle = TopicPartition(*partition)
            end, seen = self._consumer.highwater(handle), self._consumer.last_poll_timestamp(handle)
            # The client's position: it passes over the marks of transactions, which never become records.
            position = await self._consumer.position(handle)
            if end is not None and seen is not None and position >= end:
                self.drained[partition] = Drained(self._assignment.positions[partition], seen)
            # Records of a transaction that is still open are there, but nobody is given them.
            stable = self._consumer.last_stable_offset(handle)
            readable = end if end is None or stable is None or stable < 0 else min(end, stable)
            self.silence.note(partition, position=position, end=readable, answered_at=seen)

    async def _recover(self, partitions: Sequence[Partition], error: Exception) -> None:
        """Read everything again from the checkpoints, and find out who cannot be read, if that is what is wrong.

        What the client cannot decode (a checksum, a header's name, a codec) it raises for ever, and drops what it had
        drained of other partitions: asked for together, they would all stand still. So each is asked for alone, the
        one that fails then record by record, and is stopped where no further record comes.
        """
        first = partitions[0]
        if is_undecodable(error) and self._suspects.get(first) == "one by one":
            # Alone and one by one nothing is lost: what came before it is in the buffer.
            del self._suspects[first]
            self._assignment.stop_behind(
                first,
                f"{self._next_of(first)} cannot be read: {_named(error)};"
                f" `squad checkpoints skip {first.number}` shows how far, and steps over it",
            )
            return
        if is_undecodable(error) and len(partitions) > 1:
            self._suspects.update(dict.fromkeys(partitions, "alone"))
        elif is_undecodable(error):
            self._suspects[first] = "one by one"
        if is_undecodable(error):
            logger.warning("polling failed, reading again from the checkpoints: %s", _named(error))
        self._assignment.forget(list(self._assignment.positions))
        await asyncio.sleep(self._poll_seconds)

    def _next_of(self, partition: Partition) -> str:
        return f"the record at or after offset {self._assignment.end_of(partition)}"


def _stamped_by_broker(records: Sequence[Record]) -> Sequence[Record]:
    for number, record in enumerate(records):
        if record.timestamp_type != LOG_APPEND_TIME:
            return records[:number]
    return records


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
