"""Noticing that the database is not the one that a cursor was written in, or not as it was: restored, copied, moved.

The cursor and the rows speak of transactions by their ids. Where ids mean something else, or will be given out again,
rows would be passed over for ever or published at some other time; so the relay refuses until an operator decides.
"""

import logging
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Integer, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from outbox.errors import MissingCursorError, RestoredError, WrongClusterError

logger = logging.getLogger("squad.relay")

# `pg_control_checkpoint()` is late just after a promotion. On a standby there is no telling.
_TIMELINE: Final = """
    (SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE CAST(CAST(
        'x' || substring(pg_walfile_name(pg_current_wal_insert_lsn()) FROM 1 FOR 8) AS bit(32)) AS bigint) END)"""

FOUND: Final = f"""
    (SELECT system_identifier FROM pg_control_system()),
    (SELECT CAST(oid AS bigint) FROM pg_database WHERE datname = current_database()),
    CAST(CAST('outbox' AS regclass) AS oid),
    {_TIMELINE}"""  # noqa: S608 - constants only
"""Where we are: system identifier, oids of database and table, timeline."""

# The highest transaction id of a row and the snapshot are of one moment: every row that it sees is from before it.
LOOK: Final = text(
    f"""
    SELECT system_identifier, database_oid, outbox_oid, timeline, {FOUND},
           CAST(CAST(pg_snapshot_xmax(COALESCE(current, previous)) AS text) AS bigint),
           CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint),
           (SELECT CAST(CAST(max(txid) AS text) AS bigint) FROM outbox)
    FROM relay_cursors
    WHERE shard = :shard
    """  # noqa: S608 - constants only
).bindparams(bindparam("shard", type_=Integer))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What tells one outbox from another; nothing is stored before the first relay has led the shard."""

    system_identifier: int | None
    database_oid: int | None
    outbox_oid: int | None
    timeline: int | None

    @property
    def identity(self) -> tuple[int | None, ...]:
        """What has to be the same."""
        return self.system_identifier, self.database_oid, self.outbox_oid


async def check(connection: AsyncConnection, *, shard: int) -> bool:
    """See that a shard's cursor is of this database, and from its past.

    A new timeline alone (a failover, a restore to a point in time) is logged: rows, ids and cursor went back together.

    Args:
        connection: in autocommit.
        shard: whose cursor.

    Returns:
        Whether the cursor knows this place; if not, it is to be stored.

    Raises:
        MissingCursorError: no such shard.
        WrongClusterError: system, database or table are not those that the cursor was made in.
        RestoredError: the cursor or rows are of transactions that this server has not begun yet.
    """
    row = (await connection.execute(LOOK, {"shard": shard})).one_or_none()
    if row is None:
        raise MissingCursorError(shard)
    stored, found = _place(row[:4]), _place(row[4:8])
    cursor_xmax, xmax, last_txid = row[8:]
    is_new = stored.identity == (None, None, None)
    if not is_new and stored.identity != found.identity:
        raise WrongClusterError(shard=shard, stored=stored.identity, found=found.identity)
    if cursor_xmax > xmax:
        raise RestoredError(
            shard=shard, what=f"its cursor is at transaction {cursor_xmax}, but the next that begins here is {xmax}"
        )
    if last_txid is not None and last_txid >= xmax:
        raise RestoredError(
            shard=shard, what=f"the outbox has rows of transaction {last_txid}, but the next that begins here is {xmax}"
        )
    if stored.timeline is not None and found.timeline is not None and stored.timeline != found.timeline:
        logger.warning(
            "the server is on timeline %d, the cursor of shard %d was written on %d: after a failover or a restore to a"
            " point in time, what was published after the commits that were lost stays on the topics",
            *(found.timeline, shard, stored.timeline),
        )
    return not is_new and (found.timeline is None or stored.timeline == found.timeline)


def _place(values: tuple[int | None, ...]) -> Place:
    system_identifier, database_oid, outbox_oid, timeline = values
    return Place(
        system_identifier=system_identifier, database_oid=database_oid, outbox_oid=outbox_oid, timeline=timeline
    )
