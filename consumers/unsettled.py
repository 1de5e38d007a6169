"""How much waits for an operator: dead letters that nobody settled, and the records that are parked behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

COUNTED_AT_MOST: Final = 100_000
"""Nobody has to know how many more there are."""

_OPEN: Final = text(
    """
    SELECT reason, count(*) AS letters, min(first_at) AS oldest_at
    FROM (SELECT reason, first_at FROM dead_letters WHERE state IN ('open', 'redriving') LIMIT :most) d
    GROUP BY reason ORDER BY reason
    """
)

_PARKED: Final = text(
    """
    SELECT (SELECT count(*) FROM (SELECT FROM parked_streams LIMIT :most) s) AS streams,
           (SELECT count(*) FROM (SELECT FROM parked LIMIT :most) p) AS records
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """What waits, each counted up to `COUNTED_AT_MOST`.

    Args:
        letters: open dead letters, by reason.
        oldest_at: when the first of them became one.
        parked_streams: streams that wait behind one.
        parked_records: places of records in them; one that writes two streams has two.
    """

    letters: Mapping[str, int]
    oldest_at: datetime | None
    parked_streams: int
    parked_records: int


async def fetch_unsettled(connection: AsyncConnection) -> Unsettled:
    """Count what waits."""
    rows = (await connection.execute(_OPEN, {"most": COUNTED_AT_MOST})).all()
    parked = (await connection.execute(_PARKED, {"most": COUNTED_AT_MOST})).one()
    return Unsettled(
        letters={row.reason: row.letters for row in rows},
        oldest_at=min((row.oldest_at for row in rows), default=None),
        parked_streams=parked.streams,
        parked_records=parked.records,
    )
