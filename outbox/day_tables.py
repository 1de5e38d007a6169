"""The tables of the outbox's days: which there are, attached to it, detached here, or detached by somebody else."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from outbox.days import day_of

DETACHED: Final = "detached from outbox at "
"""How the comment of a table begins that was detached here; only such tables are dropped."""

_LIST: Final = text(
    """
    SELECT c.relname AS name, i.inhrelid IS NOT NULL AS attached, CAST(c.reltuples AS bigint) AS rows,
           pg_total_relation_size(c.oid) AS bytes, obj_description(c.oid, 'pg_class') AS comment
    FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = CAST('outbox' AS regclass)
    WHERE c.relkind = 'r' AND c.relname ~ '^outbox_d[0-9]{8}$'
      AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = CAST('outbox' AS regclass))
    ORDER BY c.relname
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A day's table.

    Args:
        name, day: which one.
        is_attached: whether it is a partition of the outbox.
        detached_at: when it was detached by us; `None` for a table that is attached or was detached by somebody else.
        rows: an estimate; `None`: unknown before the first vacuum.
        bytes: with its indexes.
    """

    name: str
    day: date
    is_attached: bool
    detached_at: datetime | None
    rows: int | None
    bytes: int

    @property
    def was_detached_by_hand(self) -> bool:
        """Whether nobody here knows when and why it was detached."""
        return not self.is_attached and self.detached_at is None


async def fetch_tables(connection: AsyncConnection) -> list[Table]:
    """Give every day's table, attached or not, by day."""
    return [
        Table(
            name=row.name,
            day=day_of(row.name),
            is_attached=row.attached,
            detached_at=None if row.attached else _detached_at(row.comment),
            rows=None if row.rows < 0 else row.rows,
            bytes=row.bytes,
        )
        for row in await connection.execute(_LIST)
    ]


def _detached_at(comment: str | None) -> datetime | None:
    known = comment is not None and comment.startswith(DETACHED)
    return datetime.fromisoformat(comment.removeprefix(DETACHED)) if known and comment else None
