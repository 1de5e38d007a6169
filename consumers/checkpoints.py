"""How far a group has come in each partition: read under a lock, compared, advanced in the batch's own transaction."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import CursorResult, text
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far a group has come in a partition.

    Args:
        next_offset: behind the last record applied, or where a beginning was decided.
        last_timestamp, last_checksum: of the record right before it; `None` when nothing was applied since the
            checkpoint was made or moved by an operator.
        accepted_at: when an operator last moved it.
    """

    next_offset: int
    last_timestamp: datetime | None = None
    last_checksum: int | None = None
    accepted_at: datetime | None = None


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
    SELECT topic, partition, next_offset, last_timestamp, last_checksum, accepted_at
    FROM checkpoints
    WHERE consumer_group = :consumer_group
      AND (topic, partition) IN (SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS integer[])))
    """
)

_LOAD_TOPIC: Final = text(
    """
    SELECT topic, partition, next_offset, last_timestamp, last_checksum, accepted_at
    FROM checkpoints
    WHERE consumer_group = :consumer_group AND topic = :topic
    ORDER BY partition
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

# A locked row has a batch under way and is left out: its turn comes with the next note, and nobody waits in a circle.
_NOTE_CAUGHT_UP: Final = text(
    """
    WITH drained AS (
        SELECT c.consumer_group, c.topic, c.partition, x.caught_up_at
        FROM checkpoints c
        JOIN unnest(
            CAST(:topics AS text[]), CAST(:partitions AS integer[]), CAST(:next_offsets AS bigint[]),
            CAST(:caught_up_ats AS timestamptz[])
        ) AS x(topic, partition, next_offset, caught_up_at)
          ON c.topic = x.topic AND c.partition = x.partition AND c.next_offset = x.next_offset
        WHERE c.consumer_group = :consumer_group
          AND (c.caught_up_at IS NULL OR c.caught_up_at < x.caught_up_at)
        FOR NO KEY UPDATE OF c SKIP LOCKED
    )
    UPDATE checkpoints c
    SET caught_up_at = LEAST(drained.caught_up_at, now())
    FROM drained
    WHERE (c.consumer_group, c.topic, c.partition) = (drained.consumer_group, drained.topic, drained.partition)
    """
)

_SLOWEST: Final = text(
    """
    SELECT consumer_group, topic, partition, GREATEST(last_timestamp, caught_up_at)
    FROM checkpoints
    ORDER BY GREATEST(last_timestamp, caught_up_at) NULLS FIRST, consumer_group, topic, partition
    LIMIT 1
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

# What was applied last and when it was caught up say nothing about the new place.
_ACCEPT: Final = text(
    """
    INSERT INTO checkpoints AS c (consumer_group, topic, partition, next_offset, accepted_at)
    VALUES (:consumer_group, :topic, :partition, :next_offset, now())
    ON CONFLICT (consumer_group, topic, partition) DO UPDATE
    SET next_offset = EXCLUDED.next_offset, accepted_at = EXCLUDED.accepted_at,
        last_timestamp = NULL, last_checksum = NULL, caught_up_at = NULL
    WHERE c.next_offset = CAST(:expected AS bigint)
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


async def load(session: AsyncSession, group: str, partitions: Collection[Partition]) -> dict[Partition, Checkpoint]:
    """Give the checkpoint of each partition that has one."""
    return _by_partition(await session.execute(_LOAD, _parameters(group, partitions)))


async def load_topic(session: AsyncSession, group: str, topic: str) -> dict[Partition, Checkpoint]:
    """Give all checkpoints of a topic."""
    return _by_partition(await session.execute(_LOAD_TOPIC, {"consumer_group": group, "topic": topic}))


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


async def note_caught_up(session: AsyncSession, group: str, drained: Mapping[Partition, tuple[int, datetime]]) -> int:
    """Note that partitions were drained: their next offset, if it is still that, and when.

    Returns:
        How many were noted.
    """
    result = await session.execute(
        _NOTE_CAUGHT_UP,
        {
            **_parameters(group, drained),
            "next_offsets": [next_offset for next_offset, _ in drained.values()],
            "caught_up_ats": [caught_up_at for _, caught_up_at in drained.values()],
        },
    )
    return result.rowcount if isinstance(result, CursorResult) else 0


class Slowest(NamedTuple):
    """The partition that is behind all others, of all groups, for they share the inbox.

    Args:
        group: whose checkpoint.
        partition: which one.
        applied_until: no record older than this waits in it; `None` when nothing is known of it yet.
    """

    group: str
    partition: Partition
    applied_until: datetime | None


async def fetch_slowest(session: AsyncSession) -> Slowest | None:
    """Give the partition that holds pruning back most; `None` when there is no checkpoint at all.

    Every partition counts that a group was ever assigned: its checkpoint is made before anything of it is read.

    The broker's times never go back within a partition but for its clocks' skew, so the next record to apply is not
    older than the last one applied, nor than the moment when the partition was seen drained.
    """
    row = (await session.execute(_SLOWEST)).one_or_none()
    return None if row is None else Slowest(row[0], Partition(row[1], row[2]), row[3])


async def accept(
    session: AsyncSession, group: str, partition: Partition, next_offset: int, *, expected: int | None
) -> bool:
    """Move a checkpoint because an operator says so; whoever reads the partition is fenced, and begins again there.

    Args:
        session: in a transaction.
        group: whose.
        partition: which one.
        next_offset: where reading is to go on.
        expected: where the operator saw it; `None`: there was none.

    Returns:
        Whether it was moved; it was not, if it stands elsewhere by now.
    """
    place = {"consumer_group": group, "topic": partition.topic, "partition": partition.number}
    result = await session.execute(_ACCEPT, place | {"next_offset": next_offset, "expected": expected})
    return isinstance(result, CursorResult) and result.rowcount == 1


def _by_partition(rows: Iterable[Any]) -> dict[Partition, Checkpoint]:
    return {
        Partition(row.topic, row.partition): Checkpoint(
            next_offset=row.next_offset,
            last_timestamp=row.last_timestamp,
            last_checksum=row.last_checksum,
            accepted_at=row.accepted_at,
        )
        for row in rows
    }


def _parameters(group: str, partitions: Collection[Partition]) -> dict[str, object]:
    return {
        "consumer_group": group,
        "topics": [partition.topic for partition in partitions],
        "partitions": [partition.number for partition in partitions],
    }
