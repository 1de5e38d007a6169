"""How the relays are, shard by shard, as the tables say it: from any machine, whether one runs or not."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, SmallInteger, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.models.base import Xid8
from outbox import restore
from outbox.errors import RelayError
from outbox.lease import relay_lease

_SHARDS: Final = text(
    """
    SELECT c.shard, c.slot_from, c.slot_to, CAST(c.previous AS text) AS previous, CAST(c.current AS text) AS current,
           c.position, c.high, c.epoch
    FROM relay_cursors c
    ORDER BY c.slot_from
    """
)
_LEASE: Final = text("SELECT holder, epoch, expires_at FROM leases WHERE name = :name AND expires_at > now()")

_BACKLOG: Final = text(
    """
    SELECT count(*) AS rows, extract(epoch FROM now() - min(recorded_at)) AS age_seconds
    FROM (
        SELECT position, recorded_at, txid FROM outbox
        WHERE txid >= CAST(:previous_xmax AS xid8) AND slot BETWEEN :slot_from AND :slot_to
        UNION ALL
        SELECT position, recorded_at, txid FROM outbox
        WHERE txid = ANY(CAST(:previous_xip AS xid8[])) AND slot BETWEEN :slot_from AND :slot_to
    ) w
    WHERE :current IS NULL OR position > :position
       OR NOT pg_visible_in_snapshot(txid, (SELECT CAST(CAST(:current AS text) AS pg_snapshot)))
    """
).bindparams(
    bindparam("previous_xmax", type_=Xid8()),
    bindparam("current", type_=Text),
    bindparam("slot_from", type_=SmallInteger),
    bindparam("slot_to", type_=SmallInteger),
)

_HELD: Final = text(
    """
    SELECT count(*) AS rows, count(DISTINCT (topic, key)) AS holds, count(awaits) AS waiting,
           array_remove(array_agg(DISTINCT awaits), NULL) AS awaited
    FROM held WHERE slot BETWEEN :slot_from AND :slot_to
    """
).bindparams(bindparam("slot_from", type_=SmallInteger), bindparam("slot_to", type_=SmallInteger))


# In the order of transaction ids, by their index: nothing at or after `previous_xmax` is published while no window is
# open. Within an open one the next in position comes next. So neither looks at more than a few rows, however many wait.
OLDEST: Final = text(
    """
    SELECT extract(epoch FROM now() - min(recorded_at)) FROM (
        (SELECT recorded_at FROM outbox
         WHERE CAST(:current AS text) IS NULL
           AND txid >= CAST(:previous_xmax AS xid8) AND slot BETWEEN :slot_from AND :slot_to
         ORDER BY txid, position LIMIT 1)
        UNION ALL
        (SELECT recorded_at FROM outbox
         WHERE CAST(:current AS text) IS NULL
           AND txid = ANY(CAST(:previous_xip AS xid8[])) AND slot BETWEEN :slot_from AND :slot_to
         ORDER BY txid, position LIMIT 1)
        UNION ALL
        (SELECT recorded_at FROM outbox
         WHERE position > :position AND position <= :high AND slot BETWEEN :slot_from AND :slot_to
           AND (txid >= CAST(:previous_xmax AS xid8) OR txid = ANY(CAST(:previous_xip AS xid8[])))
         ORDER BY position LIMIT 1)
    ) o
    """
).bindparams(
    bindparam("previous_xmax", type_=Xid8()),
    bindparam("current", type_=Text),
    bindparam("position", type_=BigInteger),
    bindparam("high", type_=BigInteger),
    bindparam("slot_from", type_=SmallInteger),
    bindparam("slot_to", type_=SmallInteger),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What of a shard waits.

    Attributes:
        shard: which.
        age_seconds: how long the oldest row waits that is not published, held ones aside; 0: none does.
        held_rows, holds: rows that wait aside, and of how many topics and keys.
        waiting_rows: how many of them go on by themselves.
    """

    shard: int
    age_seconds: float
    held_rows: int
    holds: int
    waiting_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardStatus:
    """How the relay of a shard is.

    Attributes:
        shard, slot_from, slot_to: which, and of which slots.
        holder: who leads it; nobody, when its lease is free or expired.
        lease_epoch, expires_at: of the lease, while somebody has it.
        epoch: of the cursor.
        previous: the snapshot up to which everything is published.
        current, position, high: the open window, how far in it, and its end; without a window, `position` is the last.
        backlog_rows: how many rows are not published; held ones do not count.
        age_seconds: how long the oldest of them has waited.
        held_rows, holds: rows that wait, and of how many topics and keys.
        waiting_rows, awaited: how many of them go on by themselves, once these topics and partitions take rows again.
        refusal: why nothing is published, when the relay refuses to.
    """

    shard: int
    slot_from: int
    slot_to: int
    holder: str | None
    lease_epoch: int | None
    expires_at: datetime | None
    epoch: int
    previous: str
    current: str | None
    position: int
    high: int | None
    backlog_rows: int
    age_seconds: float | None
    held_rows: int
    holds: int
    waiting_rows: int
    awaited: list[str]
    refusal: str | None


async def fetch_status(connection: AsyncConnection) -> list[ShardStatus]:
    """Give each shard's status.

    Args:
        connection: in autocommit, as every statement looks by itself.
    """
    return [await _describe(connection, dict(row._mapping)) for row in await connection.execute(_SHARDS)]


async def fetch_waiting(connection: AsyncConnection) -> list[Waiting]:
    """Give what waits, shard by shard; cheap, however much that is.

    Args:
        connection: in autocommit.
    """
    found = []
    for row in await connection.execute(_SHARDS):
        cursor = dict(row._mapping)
        slots = {name: cursor[name] for name in ("slot_from", "slot_to")}
        place = _window_of(cursor) | slots | {"high": cursor["high"]}
        age = await connection.scalar(OLDEST, place)
        held = (await connection.execute(_HELD, slots)).one()
        found.append(
            Waiting(
                shard=row.shard,
                age_seconds=0.0 if age is None else float(age),
                held_rows=held.rows,
                holds=held.holds,
                waiting_rows=held.waiting,
            )
        )
    return found


async def _describe(connection: AsyncConnection, cursor: dict[str, object]) -> ShardStatus:
    shard = int(str(cursor["shard"]))
    slots = {name: cursor[name] for name in ("slot_from", "slot_to")}
    lease = (await connection.execute(_LEASE, {"name": relay_lease(shard)})).one_or_none()
    backlog = (await connection.execute(_BACKLOG, _window_of(cursor) | slots)).one()
    held = (await connection.execute(_HELD, slots)).one()
    return ShardStatus(
        **cursor,  # type: ignore[arg-type] # the columns of the statement
        holder=None if lease is None else lease.holder,
        lease_epoch=None if lease is None else lease.epoch,
        expires_at=None if lease is None else lease.expires_at,
        backlog_rows=backlog.rows,
        age_seconds=None if backlog.age_seconds is None else float(backlog.age_seconds),
        held_rows=held.rows,
        holds=held.holds,
        waiting_rows=held.waiting,
        awaited=sorted(held.awaited or ()),
        refusal=await _find_refusal(connection, shard),
    )


def _window_of(cursor: dict[str, object]) -> dict[str, object]:
    _, xmax, running = str(cursor["previous"]).split(":")
    return {
        "previous_xmax": int(xmax),
        "previous_xip": [int(txid) for txid in running.split(",") if txid],
        "current": cursor["current"],
        "position": cursor["position"],
    }


async def _find_refusal(connection: AsyncConnection, shard: int) -> str | None:
    try:
        await restore.check(connection, shard=shard)
    except RelayError as error:
        return str(error)
    return None
