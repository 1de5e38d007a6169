"""What is new in the outbox: the rows that one snapshot sees and an earlier one did not, in the order of positions.

The statements were tried against writers made to break them; a plausible variation loses rows (docs/architecture.md,
"The relay"). Every row of a window was committed before its snapshot was taken and rows never change, so a window may
be read in any number of pieces and comes out the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, SmallInteger, TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.driver import fetch_records
from db.models.base import Xid8
from messages.keys import SLOTS
from outbox.errors import InRecoveryError

PATIENCE_SECONDS: Final = 600
"""How long it may take to see what is new, where much is: to survey a hundred million rows takes a minute."""

# Planned once for the connection's life: planning over 30 partitions costs more than an idle pass. A generic plan knows
# no values and guesses that a third of all rows is new, hence no sequential scans, and no parallel workers and no
# compiled expressions for what is mostly nothing.
SETTINGS: Final = (
    text("SET plan_cache_mode = force_generic_plan"),
    text("SET enable_seqscan = off"),
    text("SET enable_bitmapscan = off"),
    text("SET max_parallel_workers_per_gather = 0"),
    text("SET jit = off"),
)

_RFC_3339: Final = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
COLUMNS: Final = f"""
    position, topic, key, convert_to(CAST(event_id AS text), 'UTF8'), type, source,
    convert_to(to_char(time AT TIME ZONE 'UTC', {_RFC_3339}), 'UTF8'), sequence,
    convert_to(correlation_id, 'UTF8'), convert_to(causation_id, 'UTF8'), traceparent, dataschema,
    convert_to(to_char(recorded_at AT TIME ZONE 'UTC', {_RFC_3339}), 'UTF8'),
    content_type, CAST(extensions AS text), header_names, header_values, body"""
"""As `wire.wrap` takes them. Times are written, and what differs from row to row is encoded, by the server: Python
would take as long for that as for all the rest of a record."""

# No row on a standby, whose snapshots lack the running transactions, nor on a server that another has taken over from.
_TAKE: Final = text(
    """
    SELECT CAST(pg_current_snapshot() AS text)
    WHERE NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'
    """
)

# UNION ALL, not OR, which would read everything (400 ms). `position + 0` keeps min and max off the primary key.
_SURVEY: Final = """
    SELECT min(p), max(p), count(*), CAST(COALESCE(sum(bytes), 0) AS bigint)
    FROM (
        SELECT position + 0 AS p, txid, octet_length(body) AS bytes
        FROM outbox WHERE txid >= CAST(:previous_xmax AS xid8) {slots}
        UNION ALL
        SELECT position + 0,      txid, octet_length(body)
        FROM outbox WHERE txid = ANY(CAST(:previous_xip AS xid8[])) {slots}
    ) w
    WHERE pg_visible_in_snapshot(txid, (SELECT CAST(CAST(:current AS text) AS pg_snapshot)))"""

_FETCH_ALL: Final = """
    SELECT {columns}
    FROM (
        SELECT * FROM outbox WHERE txid >= CAST(:previous_xmax AS xid8) {slots}
        UNION ALL
        SELECT * FROM outbox WHERE txid = ANY(CAST(:previous_xip AS xid8[])) {slots}
    ) w
    WHERE pg_visible_in_snapshot(txid, (SELECT CAST(CAST(:current AS text) AS pg_snapshot)))
    ORDER BY position"""

# The bound is read before the page and passed in: asked for inside the reading statement it lost rows.
_BOUND: Final = """
    SELECT max(position), CAST(COALESCE(sum(bytes), 0) AS bigint)
    FROM (
        SELECT position, octet_length(body) AS bytes
        FROM outbox WHERE position > :at AND position <= :high {slots}
        ORDER BY position LIMIT :page_rows
    ) p"""

_BOUND_BY_BYTES: Final = """
    SELECT max(position)
    FROM (
        SELECT position, sum(bytes) OVER (ORDER BY position) - bytes AS before
        FROM (
            SELECT position, COALESCE(octet_length(body), 0) AS bytes
            FROM outbox WHERE position > :at AND position <= :high {slots}
            ORDER BY position LIMIT :page_rows
        ) p
    ) q
    WHERE before < :page_bytes"""

_FETCH: Final = """
    SELECT {columns}
    FROM outbox
    WHERE position > :at AND position <= :bound {slots}
      AND (txid >= CAST(:previous_xmax AS xid8) OR txid = ANY(CAST(:previous_xip AS xid8[])))
      AND pg_visible_in_snapshot(txid, (SELECT CAST(CAST(:current AS text) AS pg_snapshot)))
    ORDER BY position"""

_TYPES: Final = {
    "previous_xmax": Xid8(),
    "at": BigInteger(),
    "high": BigInteger(),
    "bound": BigInteger(),
    "page_rows": Integer(),
    "page_bytes": BigInteger(),
    "slot_from": SmallInteger(),
    "slot_to": SmallInteger(),
}


_PARAMETER: Final = re.compile(r"(?<![:\w]):(\w+)")


def _statement(template: str, *, sliced: bool) -> TextClause:
    sql = template.format(slots="AND slot BETWEEN :slot_from AND :slot_to" if sliced else "", columns=COLUMNS)
    typed = sorted(set(_PARAMETER.findall(sql)) & _TYPES.keys())
    return text(sql).bindparams(*(bindparam(name, type_=_TYPES[name]) for name in typed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """The statements of a shard: with the condition on its slots, or without it where the shard has them all."""

    survey: TextClause
    fetch_all: TextClause
    bound: TextClause
    bound_by_bytes: TextClause
    fetch: TextClause


def _statements(*, sliced: bool) -> Statements:
    return Statements(
        survey=_statement(_SURVEY, sliced=sliced),
        fetch_all=_statement(_FETCH_ALL, sliced=sliced),
        bound=_statement(_BOUND, sliced=sliced),
        bound_by_bytes=_statement(_BOUND_BY_BYTES, sliced=sliced),
        fetch=_statement(_FETCH, sliced=sliced),
    )


WHOLE: Final = _statements(sliced=False)
SLICED: Final = _statements(sliced=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a window holds: lowest and highest position, rows, and bytes of their bodies."""

    low: int
    high: int
    rows: int
    bytes: int


async def take_snapshot(connection: AsyncConnection) -> str:
    """Ask which transactions are over; the connection is in autocommit, so that this is a transaction of its own.

    Raises:
        InRecoveryError: the server is a standby, or takes no writes any more.
    """
    snapshot = await connection.scalar(_TAKE)
    if snapshot is None:
        raise InRecoveryError
    return str(snapshot)


class Window:
    """The rows of a shard's slots that `current` sees and `previous` did not.

    Args:
        previous, current: snapshots as text, `xmin:xmax:xip,…` (PostgreSQL 9.28.8).
        slot_from, slot_to: the shard's slots, both inclusive.
    """

    def __init__(self, *, previous: str, current: str, slot_from: int, slot_to: int) -> None:
        _, xmax, running = previous.split(":")
        self.current = current
        self._after = {
            "previous_xmax": int(xmax),
            "previous_xip": [int(txid) for txid in running.split(",")] if running else [],
            "current": current,
        }
        sliced = (slot_from, slot_to) != (0, SLOTS - 1)
        self._slots = {"slot_from": slot_from, "slot_to": slot_to} if sliced else {}
        self._statements = SLICED if sliced else WHOLE

    async def survey(self, connection: AsyncConnection) -> Survey | None:
        """Say what the window holds; None when nothing."""
        found = (await connection.execute(self._statements.survey, self._after | self._slots)).one()
        low, high, rows, size = found
        return Survey(low=low, high=high, rows=rows, bytes=size) if rows else None

    async def fetch_all(self, connection: AsyncConnection) -> Sequence[Sequence[Any]]:
        """Give all rows, by position, as `wire.wrap` takes them; for a window of at most one page."""
        return await fetch_records(connection, self._statements.fetch_all, self._after | self._slots)

    async def find_bound(
        self, connection: AsyncConnection, *, at: int, high: int, page_rows: int, page_bytes: int
    ) -> int:
        """Find where the page after a position ends.

        Args:
            connection: the relay's own.
            at: the page's rows come after this position.
            high: the window's last position.
            page_rows, page_bytes: limits of a page; one row is always let through.

        Returns:
            The last position of the page, `high` at most.
        """
        place = {"at": at, "high": high, "page_rows": page_rows, **self._slots}
        bound, size = (await connection.execute(self._statements.bound, place)).one()
        if size > page_bytes:
            bound = await connection.scalar(self._statements.bound_by_bytes, place | {"page_bytes": page_bytes})
        return high if bound is None else int(bound)

    async def fetch(self, connection: AsyncConnection, *, at: int, bound: int) -> Sequence[Sequence[Any]]:
        """Give the window's rows after one position up to another, by position, as `wire.wrap` takes them."""
        place = {"at": at, "bound": bound, **self._slots}
        return await fetch_records(connection, self._statements.fetch, self._after | place)
