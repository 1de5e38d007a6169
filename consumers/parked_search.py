"""Finding what is parked: the streams, the dead letters that they wait behind, and their records in order."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.stored_records import COLUMNS, StoredRecord, read_row


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedSummary:
    """A stream that waits.

    Attributes:
        stream: the id of the user or squad.
        dead_letter_id, reason, detail: what it waits behind.
        since: when it began to.
        records: how many of its records wait; 0: only the dead letter itself does.
        oldest_at: the Kafka time of the first of them.
    """

    stream: str
    dead_letter_id: str
    reason: str
    detail: str
    since: datetime
    records: int
    oldest_at: datetime | None


# The counts last: only of the streams that are given.
_STREAMS: Final = text(
    """
    SELECT CAST(s.stream AS text) AS stream, CAST(s.dead_letter_id AS text) AS dead_letter_id, s.reason, s.detail,
           s.since, p.records, p.oldest_at
    FROM (
        SELECT w.stream, w.dead_letter_id, d.reason, d.detail, w.since
        FROM parked_streams w
        JOIN dead_letters d ON d.id = w.dead_letter_id
        WHERE (CAST(:stream AS uuid) IS NULL OR w.stream = CAST(:stream AS uuid))
          AND (CAST(:dead_letter_id AS uuid) IS NULL OR w.dead_letter_id = CAST(:dead_letter_id AS uuid))
        ORDER BY w.since, w.stream
        LIMIT :limit
    ) AS s
    CROSS JOIN LATERAL (
        SELECT count(*) AS records, min(timestamp) AS oldest_at FROM parked WHERE stream = s.stream
    ) AS p
    ORDER BY s.since, s.stream
    """
)

_RECORDS: Final = text(
    f"""
    SELECT number, {COLUMNS}
    FROM parked
    WHERE stream = CAST(:stream AS uuid) AND number > :after
    ORDER BY number
    LIMIT :limit
    """  # noqa: S608 - constants only
)


async def fetch_streams(
    session: AsyncSession, *, stream: str | None = None, dead_letter_id: str | None = None, limit: int = 100
) -> list[ParkedSummary]:
    """Give the streams that wait, those that have waited longest first.

    Args:
        session: any.
        stream: only this one.
        dead_letter_id: only those that wait behind this one.
        limit: how many at most.
    """
    parameters = {"stream": stream, "dead_letter_id": dead_letter_id, "limit": limit}
    return [ParkedSummary(**row._mapping) for row in await session.execute(_STREAMS, parameters)]


async def fetch_records(
    session: AsyncSession, stream: str, *, after: int = -1, limit: int = 100
) -> list[tuple[int, StoredRecord]]:
    """Give a stream's parked records in their order, each with its number.

    Args:
        session: any.
        stream: whose.
        after: the number of the last one of the page before.
        limit: how many at most.
    """
    found = await session.execute(_RECORDS, {"stream": stream, "after": after, "limit": limit})
    return [(row.number, read_row(row)) for row in found]
