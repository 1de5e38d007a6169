"""How far a group has come in each partition: read under a lock, compared, advanced in the batch's own transaction."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.records import Partition, Record, checksum, moment_of


class FencedError(Exception):
    """The batch's beginning is not the stored checkpoint: somebody else went on, or a commit of ours was unknown.

    Args:
        partition: which one.
        begin: where the batch's reading began.
        stored: the checkpoint; `None` when there is none.
    """

    def __init__(self, partition: Partition, begin: int, stored: int | None) -> None:
        super().__init__(f"{partition} was read from {begin}, but its checkpoint is {stored}")
        self.partition = partition


_LOCK: Final = text(
    """
    SELECT topic, partition, next_offset, now()
    FROM checkpoints
    WHERE consumer_group = :consumer_group
      AND (topic, partition) IN (SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS integer[])))
    ORDER BY topic, partition
    FOR NO KEY UPDATE
    """
)

_LOAD: Final = text(
    """
    SELECT topic, partition, next_offset
    FROM checkpoints
    WHERE consumer_group = :consumer_group
      AND (topic, partition) IN (SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS integer[])))
    """
)

_ADVANCE: Final = text(
    """
    UPDATE checkpoints c
    SET next_offset = x.next_offset, last_timestamp = x.last_timestamp, last_checksum = x.last_checksum
    FROM unnest(
        CAST(:topics AS text[]), CAST(:partitions AS integer[]), CAST(:next_offsets AS bigint[]),
        CAST(:last_timestamps AS timestamptz[]), CAST(:last_checksums AS bigint[])
    ) AS x(topic, partition, next_offset, last_timestamp, last_checksum)
    WHERE c.consumer_group = :consumer_group AND c.topic = x.topic AND c.partition = x.partition
    """
)

_CREATE: Final = text(
    """
    INSERT INTO checkpoints (consumer_group, topic, partition, next_offset)
    SELECT :consumer_group, x.topic, x.partition, x.next_offset
    FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS integer[]), CAST(:next_offsets AS bigint[]))
        AS x(topic, partition, next_offset)
    ORDER BY x.topic, x.partition
    ON CONFLICT DO NOTHING
    """
)


async def lock_and_compare(session: AsyncSession, group: str, begins: Mapping[Partition, int]) -> datetime:
    """Lock the checkpoints of a batch, and see that its reading began where they stand.

    Comparing with the first record read would prove nothing: after a failed batch the following one would pass.

    Returns:
        When the transaction began, by the database's clock.

    Raises:
        FencedError: a checkpoint is elsewhere, or missing.
    """
    rows = (await session.execute(_LOCK, _parameters(group, begins))).all()
    stored = {Partition(topic, number): next_offset for topic, number, next_offset, _ in rows}
    for partition, begin in begins.items():
        if stored.get(partition) != begin:
            raise FencedError(partition, begin, stored.get(partition))
    began: datetime = rows[0][3]
    return began


async def load(session: AsyncSession, group: str, partitions: Collection[Partition]) -> dict[Partition, int]:
    """Give the next offset of each partition that has a checkpoint."""
    result = await session.execute(_LOAD, _parameters(group, partitions))
    return {Partition(topic, number): next_offset for topic, number, next_offset in result}


async def create(session: AsyncSession, group: str, next_offsets: Mapping[Partition, int]) -> None:
    """Make the checkpoints that are missing, before the first record is read; those that exist stay."""
    await session.execute(_CREATE, {**_parameters(group, next_offsets), "next_offsets": list(next_offsets.values())})


async def advance(session: AsyncSession, group: str, last_records: Mapping[Partition, Record]) -> None:
    """Move the checkpoints behind the last records applied."""
    records = last_records.values()
    await session.execute(
        _ADVANCE,
        {
            **_parameters(group, last_records),
            "next_offsets": [record.offset + 1 for record in records],
            "last_timestamps": [moment_of(record) for record in records],
            "last_checksums": [checksum(record) for record in records],
        },
    )


def _parameters(group: str, partitions: Collection[Partition]) -> dict[str, object]:
    return {
        "consumer_group": group,
        "topics": [partition.topic for partition in partitions],
        "partitions": [partition.number for partition in partitions],
    }
