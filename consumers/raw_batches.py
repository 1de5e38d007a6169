"""Batches of records as the broker has them, read one by one without a consumer: also those that no consumer gets past.

A consumer that fails on a batch does not say how far it goes. Its header does, and is never packed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from consumers import unpacking
from consumers.records import Partition, moment_at

_FETCH_BYTES: Final = 1_048_576
"""Of one answer; the broker gives a larger batch whole, if it is the first."""

_WAIT_MILLISECONDS: Final = 500
_COMMITTED: Final = 1
_CODECS: Final = ("not packed", "gzip", "snappy", "lz4", "zstd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfetched:
    """The place of a record that nobody can read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBatch:
    """A batch of records, as its header says, and whether what is in it can be read.

    Args:
        first_offset: of its first record.
        next_offset: behind its last.
        timestamp: in milliseconds since 1970, of its latest record.
        timestamp_type: whose it is (`consumers.records.LOG_APPEND_TIME`).
        size_bytes: as it travels.
        codec: how it is packed.
        read_until: behind the last of its records that can be read, from the first on.
        fault: why not the next one; `None`: all can be.
        is_passed_over: whether no consumer sees any of them: they were taken back, or mark the end of a transaction.
    """

    first_offset: int
    next_offset: int
    timestamp: int
    timestamp_type: int
    size_bytes: int
    codec: str
    read_until: int
    fault: str | None
    is_passed_over: bool

    @property
    def at(self) -> datetime:
        """When it was appended."""
        return moment_at(self.timestamp).at

    def is_readable_from(self, offset: int) -> bool:
        """Tell whether the first of its records at or behind an offset can be read."""
        return self.read_until > max(offset, self.first_offset)

    def unfetched(self, partition: Partition, offset: int) -> Iterator[Unfetched]:
        """Give the places of its records from an offset on."""
        for each in range(max(offset, self.first_offset), self.next_offset):
            yield Unfetched(
                topic=partition.topic,
                partition=partition.number,
                offset=each,
                timestamp=self.timestamp,
                timestamp_type=self.timestamp_type,
            )


class RawBatches:
    """Reads batches of a partition.

    Args:
        client: the client library's own, connected.
        partition: which one.
    """

    def __init__(self, *, client: Any, partition: Partition) -> None:  # noqa: ANN401 - the client library is untyped
        self._client = client
        self._partition = partition

    async def read(self, offset: int) -> RawBatch | None:
        """Give the batch that an offset is in, or the first one behind it; `None`: there is none, up to the log's end.

        Raises:
            aiokafka.errors.KafkaError: the broker did not answer, or refused.
        """
        topic, number = self._partition
        await self._client.force_metadata_update()
        leader = self._client.cluster.leader_for_partition(TopicPartition(topic, number))
        if leader is None or leader == -1:
            raise LeaderNotAvailableError(f"{self._partition} has no leader")
        asked = FetchRequest(
            _WAIT_MILLISECONDS, 1, _FETCH_BYTES, _COMMITTED, [(topic, [(number, offset, _FETCH_BYTES)])]
        )
        answer = await self._client.send(leader, asked)
        [(_, [found])] = answer.topics
        if found[1]:
            raise for_code(found[1])(f"reading {self._partition} at {offset}")
        # The bytes are the last field, in every version of the answer.
        for packed in _split(found[-1] or b""):
            batch = MemoryRecords(packed).next_batch()
            if batch.next_offset > offset:
                return _describe(batch, len(packed), _is_passed_over(batch, found))
        return None


@asynccontextmanager
async def open_raw_batches(client: Mapping[str, Any], partition: Partition) -> AsyncIterator[RawBatches]:
    """Give a reader of a partition's batches.

    Args:
        client: arguments for the Kafka client, such as `bootstrap_servers` and security.
        partition: which one.

    Raises:
        aiokafka.errors.KafkaError: no broker can be reached, or it refuses us.
    """
    unpacking.bound()
    connected = AIOKafkaClient(**client)
    try:
        await connected.bootstrap()
        await connected.set_topics([partition.topic])
        yield RawBatches(client=connected, partition=partition)
    finally:
        # Its tasks are only scheduled yet, where it is closed at once.
        await asyncio.sleep(0)
        await connected.close()


def _split(batches: bytes) -> Iterator[bytes]:
    """Give each whole batch: eight bytes of offset, four of length, and so many bytes."""
    begin = 0
    while (end := begin + 12 + int.from_bytes(batches[begin + 8 : begin + 12], "big")) <= len(batches):
        yield batches[begin:end]
        begin = end


def _is_passed_over(batch: Any, found: Sequence[Any]) -> bool:  # noqa: ANN401 - the client library is untyped
    # The list of aborted transactions, which begin at an offset each, is the only list of the answer, if it has one.
    aborted = next((each for each in found if isinstance(each, list)), [])
    taken_back = any(batch.producer_id == producer and first <= batch.base_offset for producer, first in aborted)
    return bool(batch.is_control_batch or (batch.is_transactional and taken_back))


def _describe(batch: Any, size_bytes: int, is_passed_over: bool) -> RawBatch:  # noqa: ANN401, FBT001 - untyped
    read_until, fault, codec = batch.base_offset, None, batch.compression_type
    try:
        if not batch.validate_crc():
            fault = "its checksum is wrong"
        elif not is_passed_over:
            for record in batch:
                read_until = record.offset + 1
    except Exception as error:  # noqa: BLE001 - whatever the client cannot decode, it raises as it comes
        fault = f"{type(error).__name__}: {error}"
    return RawBatch(
        first_offset=batch.base_offset,
        next_offset=batch.next_offset,
        timestamp=batch.max_timestamp,
        timestamp_type=batch.timestamp_type,
        size_bytes=size_bytes,
        codec=_CODECS[codec] if codec < len(_CODECS) else f"unknown ({codec})",
        read_until=batch.next_offset if fault is None else read_until,
        fault=fault,
        is_passed_over=is_passed_over,
    )
