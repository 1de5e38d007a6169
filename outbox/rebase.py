"""Setting the cursors anew for this database, after a restore or on purpose, and saying before what that publishes.

Rows of a restored database carry transaction ids of another time or place. What the cursor says of them still holds,
because rows and cursor were restored together and a snapshot compares numbers. What was written here since is known by
its positions, which go on from the restored ones. So by default everything is published again but what lies no further
than the cursor's last position *and* is published by its snapshots: nothing is lost, and little is repeated.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Boolean, DateTime, Integer, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit, deadlines
from db.models.base import Xid8
from outbox import restore
from outbox.takeover import take_over

# Writers wait; those that had begun are done.
_LOCK: Final = text("LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE")
_NO_TIMEOUT: Final = text("SELECT set_config('statement_timeout', '0', true)")

_PUBLISHED_BY_SNAPSHOT: Final = """
    (pg_visible_in_snapshot(o.txid, c.previous)
        OR (c.current IS NOT NULL AND o.position <= c.position AND pg_visible_in_snapshot(o.txid, c.current)))"""
# Up to the last position that the cursor knows of; what was written since a restore lies behind it.
_SURELY_PUBLISHED: Final = f"o.position <= COALESCE(c.high, c.position) AND {_PUBLISHED_BY_SNAPSHOT}"

# Which rows: by default those that may be unpublished, else all from somewhere on.
_AGAIN: Final = f"""
    (CASE WHEN :from_now THEN false
          WHEN :from_position IS NOT NULL THEN o.position >= :from_position
          WHEN :from_time IS NOT NULL THEN o.recorded_at >= :from_time
          ELSE NOT ({_SURELY_PUBLISHED}) END)"""

_SINCE: Final = (
    bindparam("from_now", type_=Boolean),
    bindparam("from_position", type_=BigInteger),
    bindparam("from_time", type_=DateTime(timezone=True)),
)

_PLAN: Final = text(
    f"""
    SELECT c.shard,
           count(*) FILTER (WHERE again) AS rows,
           count(*) FILTER (WHERE again AND published) AS repeated,
           count(*) FILTER (WHERE NOT again AND NOT surely) AS left_out,
           min(w.position) FILTER (WHERE again) AS first_position,
           max(w.position) FILTER (WHERE again) AS last_position,
           min(recorded_at) FILTER (WHERE again) AS first_recorded_at
    FROM relay_cursors c LEFT JOIN LATERAL (
        SELECT o.position, o.recorded_at, {_AGAIN} AS again, {_PUBLISHED_BY_SNAPSHOT} AS published,
               ({_SURELY_PUBLISHED}) AS surely
        FROM outbox o
        WHERE o.slot BETWEEN c.slot_from AND c.slot_to
    ) w ON true
    GROUP BY c.shard
    ORDER BY c.shard
    """  # noqa: S608 - constants only
).bindparams(*_SINCE)

_OWN_ID: Final = text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")
_SNAPSHOT: Final = text("SELECT CAST(pg_current_snapshot() AS text)")

# These rows are from now on rows of this transaction, which no snapshot before its end has seen.
_TAKE_AGAIN: Final = text(
    f"""
    UPDATE outbox o SET txid = CAST(:own_id AS xid8)
    FROM relay_cursors c
    WHERE o.slot BETWEEN c.slot_from AND c.slot_to AND {_AGAIN}
    """  # noqa: S608 - constants only
).bindparams(*_SINCE, bindparam("own_id", type_=Xid8()))

# And these of the first transaction that there ever was: ids from elsewhere would come up again some day.
_SETTLE: Final = text(
    """
    UPDATE outbox SET txid = '3'
    WHERE txid <> CAST(:own_id AS xid8)
      AND NOT pg_visible_in_snapshot(txid, CAST(CAST(:previous AS text) AS pg_snapshot))
    """
).bindparams(bindparam("own_id", type_=Xid8()), bindparam("previous", type_=Text))

_SET: Final = text(
    f"""
    UPDATE relay_cursors
    SET previous = CAST(CAST(:previous AS text) AS pg_snapshot), current = NULL, high = NULL,
        position = greatest(position, (SELECT max(position) FROM outbox)),
        (system_identifier, database_oid, outbox_oid, timeline) = (SELECT {restore.FOUND})
    """  # noqa: S608 - constants only
).bindparams(bindparam("previous", type_=Text))

_SET_EPOCH: Final = text("UPDATE relay_cursors SET epoch = :epoch WHERE shard = :shard").bindparams(
    bindparam("epoch", type_=BigInteger), bindparam("shard", type_=Integer)
)

# A restore of rows alone leaves the sequence behind them.
_MOVE_SEQUENCE: Final = text(
    """
    SELECT setval('outbox_position', m.position)
    FROM (SELECT max(position) AS position FROM outbox) m, outbox_position s
    WHERE s.last_value < m.position
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """From where on to publish again; nothing said: everything that may not have been published.

    Attributes:
        position: everything from this position on.
        time: everything recorded at this time or later.
        now: nothing that is there.
    """

    position: int | None = None
    time: datetime | None = None
    now: bool = False

    @property
    def parameters(self) -> dict[str, object]:
        """As the statements take it."""
        return {"from_now": self.now, "from_position": self.position, "from_time": self.time}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlan:
    """What a rebase does to a shard.

    Attributes:
        shard: which.
        rows: how many are published again, or for the first time.
        repeated: how many of those were published before, as far as the cursor knows.
        left_out: how many that may never have been published are not.
        first_position, last_position, first_recorded_at: of the rows that are published.
    """

    shard: int
    rows: int
    repeated: int
    left_out: int
    first_position: int | None
    last_position: int | None
    first_recorded_at: datetime | None


async def plan(session: AsyncSession, since: Since) -> list[ShardPlan]:
    """Say what a rebase would do; reads all of the outbox."""
    await _wait_for_ever(session)
    return [ShardPlan(**row._mapping) for row in await session.execute(_PLAN, since.parameters)]


async def rebase(session: AsyncSession, since: Since, *, reason: str) -> list[ShardPlan]:
    """Set all cursors anew for this database; relays that lead notice and begin with them.

    Args:
        session: in a transaction of its own, which the caller commits; writers wait until then.
        since: from where on to publish again.
        reason: for the audit.

    Returns:
        What will be published.
    """
    await _wait_for_ever(session)
    await session.execute(_LOCK)
    epochs = await take_over(session)
    plans = await plan(session, since)
    own_id, previous = await _take_previous(session)
    await session.execute(_TAKE_AGAIN, since.parameters | {"own_id": own_id})
    await session.execute(_SETTLE, {"own_id": own_id, "previous": previous})
    await session.execute(_MOVE_SEQUENCE)
    await session.execute(_SET, {"previous": previous})
    for each in plans:
        await session.execute(_SET_EPOCH, {"shard": each.shard, "epoch": epochs.get(each.shard, 0)})
    shards = [{name: value for name, value in asdict(each).items() if name != "first_recorded_at"} for each in plans]
    await audit.record(
        session,
        action="relay rebase",
        target="relay_cursors",
        reason=reason,
        after={"previous": previous, "shards": shards},
    )
    return plans


async def _wait_for_ever(session: AsyncSession) -> None:
    await session.execute(_NO_TIMEOUT)
    await deadlines.allow(await session.connection(), seconds=None)


async def _take_previous(session: AsyncSession) -> tuple[int, str]:
    """Give our transaction's id, and a snapshot that sees all that is over, and not ourselves or whoever comes later.

    In two statements: transactions that begin between a snapshot and our id would be in neither. And our own id is
    missing from our own snapshots, which therefore take our rows for published.
    """
    own_id = int(await session.scalar(_OWN_ID) or 0)
    _, _, listed = str(await session.scalar(_SNAPSHOT)).split(":")
    running = [int(txid) for txid in listed.split(",") if txid and int(txid) < own_id]
    return own_id, f"{min([*running, own_id])}:{own_id}:{','.join(map(str, running))}"
