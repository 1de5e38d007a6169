"""Is this still the log that the checkpoint was made in? A topic that was deleted and made again looks the same.

The protocol that the client library speaks has no topic ids. So the record that was applied last is read once more and
compared with what the checkpoint knows of it. Its offset is the one before the checkpoint's: a checkpoint is always
moved right behind a record, whatever gaps follow.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, UnsupportedCodecError

from consumers import kafka_client
from consumers.checkpoints import Checkpoint
from consumers.records import Partition, Record, checksum, moment_of

FETCH_BYTES: Final = 65_536
"""Of a partition; one record is wanted, and the broker gives at least the batch that it is in."""

POLL_MILLISECONDS: Final = 200

_ASKED_IN_TURN: Final = 4
"""So many brokers can be silent, one after the other, within a deadline."""


def is_undecodable(error: Exception) -> bool:
    """Tell whether the client failed at what it was sent, and would again: it raises whatever comes."""
    return not isinstance(error, KafkaError) or isinstance(error, CorruptRecordException | UnsupportedCodecError)


def find_fault_of_range(partition: Partition, checkpoint: Checkpoint, start: int, end: int) -> str | None:
    """Say what is wrong with a checkpoint that is outside the log; `None`: it is inside.

    Args:
        partition: which one.
        checkpoint: how far its records were applied.
        start, end: the first offset of the log, and the one behind its last record.
    """
    at = checkpoint.next_offset
    if at < start:
        return (
            f"the checkpoint is {at}, but the log starts at {start}: {start - at} records are gone unread;"
            f" {_accept(partition, 'earliest')} goes on without them"
        )
    if at > end:
        return (
            f"the checkpoint is {at}, but the log ends at {end}: it is {at - end} records short, or another topic;"
            f" {_accept(partition, '…')} says where to go on"
        )
    return None


def is_comparable(checkpoint: Checkpoint, start: int) -> bool:
    """Tell whether the checkpoint knows its last record, and the log can still have it."""
    return checkpoint.last_timestamp is not None and start < checkpoint.next_offset


def find_fault_of_record(
    partition: Partition, checkpoint: Checkpoint, found: Record | Exception | None, start: int, end: int
) -> str | None:
    """Say what is wrong with what stands in front of the checkpoint; `None`: it is the record that was applied last.

    Args:
        partition: which one.
        checkpoint: how far its records were applied; comparable.
        found: what was read there.
        start, end: of the log.
    """
    at = checkpoint.next_offset
    match found:
        case None:
            what = f"the record that was applied last, at offset {at - 1}, is not there any more"
        case Exception():
            what = f"the record at offset {at - 1} cannot be read again ({type(found).__name__}: {found})"
        case _ if (moment_of(found), checksum(found)) == (checkpoint.last_timestamp, checkpoint.last_checksum):
            return None
        case _:
            what = f"the record at offset {at - 1} is not the one that was applied last"
    return (
        f"{what}: if the topic was made anew, {at - start} of its {end - start} records lie before the checkpoint"
        f" {at} and would never be applied; {_accept(partition, '…')} says where to go on"
    )


def _accept(partition: Partition, where: str) -> str:
    return f"`squad checkpoints accept {partition.number} --to {where}`"


class LastRecords:
    """Reads single records again, by a client of its own that disturbs nobody.

    Args:
        client: arguments for the Kafka client, such as `bootstrap_servers` and security.
        deadline_seconds: how long one reading may take.
    """

    def __init__(self, *, client: Mapping[str, Any], deadline_seconds: float = 10) -> None:
        self._client = client
        self._deadline_seconds = deadline_seconds

    async def read(self, offsets: Mapping[Partition, int]) -> dict[Partition, Record | Exception | None]:
        """Read the record at an offset of each partition.

        Returns:
            The record; `None` where the log goes on behind that offset, but has no such record; what the client raised,
            where it cannot decode it. A partition is missing when there was no answer in time.

        Raises:
            aiokafka.errors.KafkaError: the broker cannot be reached, or refuses us.
        """
        found: dict[Partition, Record | Exception | None] = {}
        if not offsets:
            return found
        consumer = AIOKafkaConsumer(
            **self._client,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=100,
            # A broker that swallows what it is asked must leave time for the others.
            request_timeout_ms=round(self._deadline_seconds * 1000 / _ASKED_IN_TURN),
        )
        # What was not read by then is missing in the answer, and so is asked for again.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._deadline_seconds), kafka_client.opened(consumer):
                await _read_each(consumer, offsets, found)
        return found


async def _read_each(
    consumer: Any,  # noqa: ANN401 - the client library is untyped
    offsets: Mapping[Partition, int],
    found: dict[Partition, Record | Exception | None],
) -> None:
    _assign(consumer, offsets)
    while waiting := [partition for partition in offsets if partition not in found]:
        for partition in waiting:
            try:
                await _read_one(consumer, partition, offsets[partition], found)
            except Exception as error:
                if not is_undecodable(error):
                    raise
                found[partition] = error


async def _read_one(
    consumer: Any,  # noqa: ANN401 - the client library is untyped
    partition: Partition,
    offset: int,
    found: dict[Partition, Record | Exception | None],
) -> None:
    handle = TopicPartition(*partition)
    records = await consumer.getmany(handle, timeout_ms=POLL_MILLISECONDS, max_records=1)
    for record in records.get(handle, ()):
        found[partition] = record if record.offset == offset else None
    # An aborted record, or the mark of a transaction's end, is passed over without a word.
    if partition not in found and await consumer.position(handle) > offset:
        found[partition] = None


def _assign(consumer: Any, offsets: Mapping[Partition, int]) -> None:  # noqa: ANN401 - the client library is untyped
    handles: Collection[TopicPartition] = [TopicPartition(*partition) for partition in offsets]
    consumer.assign(handles)
    for partition, offset in offsets.items():
        consumer.seek(TopicPartition(*partition), offset)
