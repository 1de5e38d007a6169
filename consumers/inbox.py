"""Commands already decided, by (source, id): read before deciding, added after, never changed here.

Those at or before the *floor* may have been forgotten (consumers/inbox_floor.py).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import CursorResult, text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.records import Record
from db.rows import RowType


class RivalError(Exception):
    """Another consumer decided one of the commands first: reload, and its outcome will be found."""


class Identity(NamedTuple):
    """What makes a command the same one."""

    source: str
    command_id: str


@dataclass(slots=True)
class Known:
    """A command decided before this batch: what a duplicate needs to be recognised and answered with the same bytes."""

    key: str
    correlation_id: str
    fingerprint: bytes
    outcome_revision: int
    outcome_body: bytes
    decided_microseconds: int
    recorded_microseconds: int
    reply_to: str | None


ROWS: Final = RowType(
    "inbox",
    (
        "source",
        "command_id",
        "type",
        "key",
        "correlation_id",
        "payload_hash",
        "outcome",
        "outcome_revision",
        "outcome_final",
        "outcome_body",
        "event_ids",
        "topic",
        "partition",
        "record_offset",
        "ce_time",
        "decided_at",
        "recorded_at",
        "reply_to",
    ),
    version=3,
    microseconds=("ce_time", "decided_at", "recorded_at"),
    or_now=("recorded_at",),
    literals={"event_ids": "uuid[]"},
)

# LIMIT 1 keeps each look-up an index scan, whatever the planner believes about the size of the array or the table.
# The floor comes with them because one statement sees one moment: where a row is missing because it was pruned, the
# floor that was raised with it is seen too. Read before the rows, it could be the one from before.
FIND: Final = text(
    """
    SELECT CAST(extract(epoch FROM GREATEST(f.pruned_before, '0001-01-01 00:00 UTC')) * 1000000 AS bigint),
           EXISTS (SELECT FROM parked_streams),
           i.source, i.command_id, i.key, i.correlation_id, i.payload_hash, i.outcome_revision, i.outcome_body,
           CAST(extract(epoch FROM i.decided_at) * 1000000 AS bigint),
           CAST(extract(epoch FROM i.recorded_at) * 1000000 AS bigint), i.reply_to
    FROM inbox_floor f
    LEFT JOIN (
        unnest(CAST(:sources AS text[]), CAST(:command_ids AS text[])) AS x(source, command_id)
        CROSS JOIN LATERAL (
            SELECT * FROM inbox i WHERE i.source = x.source AND i.command_id = x.command_id LIMIT 1
        ) AS i
    ) ON true
    """
)


class NoFloorError(LookupError):
    """The one row of `inbox_floor` is gone: nobody can say what was forgotten, so nothing may be decided."""


class Found(NamedTuple):
    """What one look at the inbox tells.

    Args:
        known: the commands that were decided before.
        floor_microseconds: of commands sent by then (since 1970), those that are not known may be forgotten.
        any_parked: whether any stream is parked, whosoever; nearly always none is.
    """

    known: dict[Identity, Known]
    floor_microseconds: int
    any_parked: bool


async def find(session: AsyncSession, identities: Collection[Identity]) -> Found:
    """Give those of the commands that were decided before, and the floor: what was sent by then may be forgotten.

    Raises:
        NoFloorError: there is none.
    """
    if not identities:
        return Found({}, 0, any_parked=False)
    result = await session.execute(
        FIND,
        {
            "sources": [identity.source for identity in identities],
            "command_ids": [identity.command_id for identity in identities],
        },
    )
    rows = result.all()
    if not rows:
        raise NoFloorError("inbox_floor has no row: its loss is to be mended before anything is decided")
    known = {Identity(row[2], row[3]): Known(*row[4:]) for row in rows if row[2] is not None}
    return Found(known, *rows[0][:2])


async def insert(session: AsyncSession, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add decided commands, sorted by identity so that rivals never wait in a circle.

    Args:
        session: in the batch's transaction.
        rows: values in the order of the columns above.

    Raises:
        RivalError: one of them is there already.
    """
    added = await ROWS.insert(session, sorted(rows, key=lambda row: row[:2]), skip_existing=True)
    if added != len(rows):
        raise RivalError(f"{len(rows) - added} of {len(rows)} commands were decided by another consumer")


class Provisional(NamedTuple):
    """A command whose outcome may still be replaced.

    Args:
        revision: of the outcome that it has.
        fingerprint: of its content as it could be read.
        topic, partition, offset: where the record is that it was decided by.
    """

    revision: int
    fingerprint: bytes
    topic: str
    partition: int
    offset: int

    def is_of(self, record: Record) -> bool:
        """Tell whether this is what was decided of a record, and not of another one with the same id."""
        return (self.topic, self.partition, self.offset) == (record.topic, record.partition, record.offset)


FIND_PROVISIONAL: Final = text(
    """
    SELECT i.source, i.command_id, i.outcome_revision, i.payload_hash, i.topic, i.partition, i.record_offset
    FROM unnest(CAST(:sources AS text[]), CAST(:command_ids AS text[])) AS x(source, command_id)
    CROSS JOIN LATERAL (
        SELECT * FROM inbox i
        WHERE i.source = x.source AND i.command_id = x.command_id AND NOT i.outcome_final
        LIMIT 1
    ) AS i
    """
)

# Whoever decided meanwhile left another revision, or a final one.
_REPLACE: Final = text(
    f"""
    UPDATE inbox i
    SET payload_hash = x.payload_hash, outcome = x.outcome, outcome_revision = x.outcome_revision,
        outcome_final = x.outcome_final, outcome_body = x.outcome_body, event_ids = CAST(x.event_ids AS uuid[]),
        recorded_at = now()
    FROM unnest(CAST(:rows AS {ROWS.name}[])) AS x
    WHERE i.source = x.source AND i.command_id = x.command_id AND NOT i.outcome_final
      AND i.outcome_revision = x.outcome_revision - 1
    """  # noqa: S608 - constants only
)


async def find_provisional(session: AsyncSession, identities: Collection[Identity]) -> dict[Identity, Provisional]:
    """Give those of the commands whose outcomes may still be replaced: dead-lettered and parked ones."""
    asked = {
        "sources": [identity.source for identity in identities],
        "command_ids": [identity.command_id for identity in identities],
    }
    rows = await session.execute(FIND_PROVISIONAL, asked)
    return {Identity(row[0], row[1]): Provisional(*row[2:]) for row in rows}


async def replace(session: AsyncSession, rows: Sequence[tuple[Any, ...]]) -> None:
    """Replace outcomes that are not final by their next revisions.

    Args:
        session: in the transaction that decided.
        rows: values in the order of the columns above.

    Raises:
        RivalError: somebody else replaced one of them meanwhile.
    """
    if not rows:
        return
    result = await session.execute(_REPLACE, {"rows": sorted(rows, key=lambda row: row[:2])})
    if not isinstance(result, CursorResult) or result.rowcount != len(rows):
        raise RivalError("an outcome was replaced by somebody else")
