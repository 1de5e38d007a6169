"""What Kafka gives, and the piece of it that one transaction applies."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

LOG_APPEND_TIME: Final = 1
"""The `timestamp_type` of a record that was stamped by the broker; 0 is a producer's."""


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


class Place(NamedTuple):
    """Where a record was, and its Kafka time: with it, one of a topic that was made anew is another one."""

    topic: str
    partition: int
    offset: int
    at: datetime

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Record(Protocol):
    """A record as the client library gives it.

    `timestamp` is in milliseconds since 1970, UTC; `timestamp_type` says whose it is (`LOG_APPEND_TIME`).
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def timestamp_type(self) -> int | None: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


def partition_of(record: Record) -> Partition:
    """Give the partition that a record is in."""
    return Partition(record.topic, record.partition)


def record_bytes(record: Record) -> int:
    """Give the size of a record: key, value, names and values of headers."""
    size = len(record.key or b"") + len(record.value or b"")
    # A loop, because that is twice as fast as a sum of so few.
    for name, value in record.headers:
        size += len(name)
        if value:
            size += len(value)
    return size


class Moment(NamedTuple):
    """A time twice: for those who compute with it, and in microseconds since 1970, as it travels to the database."""

    at: datetime
    microseconds: int


@lru_cache(maxsize=1024)
def moment_at(milliseconds: int) -> Moment:
    """Give the moment of a record's timestamp; one that no calendar has (producers may stamp anything) counts as 1970.

    The records that a broker stamped at once share it.
    """
    try:
        return Moment(EPOCH + timedelta(milliseconds=milliseconds), milliseconds * 1000)
    except OverflowError:
        return Moment(EPOCH, 0)


def moment_of(record: Record) -> datetime:
    """Give a record's timestamp, UTC."""
    return moment_at(record.timestamp).at


def checksum(record: Record) -> int:
    """Give the CRC-32 of a record's key and value, to know it again when its topic was made anew."""
    return zlib.crc32(record.value or b"", zlib.crc32(record.key or b""))


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one transaction, in order, and where their reading began.

    Args:
        records: of one or more partitions; in offset order within each.
        begins: by partition, where reading began: the end of the batch before it, or the place sought to.
        generation: of the assignment under which it was read.
    """

    records: Sequence[Record]
    begins: Mapping[Partition, int]
    generation: int

    def last_records(self) -> dict[Partition, Record]:
        """Give the last record of each partition."""
        return {partition_of(record): record for record in self.records}

    def halves(self) -> tuple["Batch", "Batch"]:
        """Split into the first and the second half of the records; the second begins where the first ends."""
        middle = len(self.records) // 2
        left, right = self.records[:middle], self.records[middle:]
        ends = {
            partition: record.offset + 1
            for partition, record in Batch(left, {}, self.generation).last_records().items()
        }
        in_right = set(map(partition_of, right))
        return (
            Batch(left, {partition: self.begins[partition] for partition in ends}, self.generation),
            Batch(
                right,
                {partition: ends.get(partition, self.begins[partition]) for partition in in_right},
                self.generation,
            ),
        )

    def without(self, partitions: frozenset[Partition]) -> "Batch":
        """Leave out the records of some partitions."""
        return Batch(
            [record for record in self.records if partition_of(record) not in partitions],
            {partition: begin for partition, begin in self.begins.items() if partition not in partitions},
            self.generation,
        )
