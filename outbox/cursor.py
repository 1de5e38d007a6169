"""How far the relay of a shard has come: one row, written by compare-and-set on the lease's epoch."""

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import BigInteger, Integer, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from outbox import restore
from outbox.errors import LeaseLostError
from outbox.lease import relay_lease

_COLUMNS: Final = """shard, slot_from, slot_to, CAST(previous AS text) AS previous, CAST(current AS text) AS current,
    high, position, epoch"""

_LOAD: Final = text(f"SELECT {_COLUMNS} FROM relay_cursors WHERE shard = :shard")  # noqa: S608 - constants only

# The rival that was overtaken still has a lower epoch, so from here on its writes change nothing.
_CLAIM: Final = text(
    f"""
    UPDATE relay_cursors
    SET epoch = :epoch,
        (system_identifier, database_oid, outbox_oid, timeline) = (SELECT {restore.FOUND})
    WHERE shard = :shard AND epoch <= :epoch
    RETURNING {_COLUMNS}
    """  # noqa: S608 - constants only
).bindparams(bindparam("epoch", type_=BigInteger))

_ADVANCE: Final = text(
    """
    UPDATE relay_cursors
    SET previous = CAST(CAST(:previous AS text) AS pg_snapshot),
        current  = CAST(CAST(:current AS text) AS pg_snapshot),
        high     = :high,
        position = :position
    WHERE shard = :shard AND epoch = :epoch
    """
).bindparams(
    bindparam("previous", type_=Text),
    bindparam("current", type_=Text),
    bindparam("high", type_=BigInteger),
    bindparam("position", type_=BigInteger),
    bindparam("shard", type_=Integer),
    bindparam("epoch", type_=BigInteger),
)

_FENCE: Final = text("SELECT 1 FROM relay_cursors WHERE shard = :shard AND epoch = :epoch FOR UPDATE").bindparams(
    bindparam("epoch", type_=BigInteger)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """One row of `relay_cursors`; with `current` and `high` a window is open and published up to `position`."""

    shard: int
    slot_from: int
    slot_to: int
    previous: str
    current: str | None
    high: int | None
    position: int
    epoch: int

    def closed_at(self, snapshot: str) -> "Cursor":
        """Give the cursor after everything that a snapshot sees was published."""
        return replace(self, previous=snapshot, current=None, high=None)

    def at(self, position: int, *, current: str, high: int) -> "Cursor":
        """Give the cursor at a position of a window, closed if that is its last."""
        if position >= high:
            return replace(self, previous=current, current=None, high=None, position=position)
        return replace(self, current=current, high=high, position=position)


async def load(connection: AsyncConnection, *, shard: int, epoch: int) -> Cursor:
    """Read a shard's cursor for the holder of an epoch, and keep holders of earlier ones from moving it.

    The first to load it notes which cluster it belongs to. Writes nothing when the epoch was there already.

    Raises:
        MissingCursorError: no such shard.
        WrongClusterError, RestoredError: nothing can be relayed here before an operator decided.
        LeaseLostError: a later holder has it.
    """
    is_known = await restore.check(connection, shard=shard)
    row = (await connection.execute(_LOAD, {"shard": shard})).one_or_none()
    if row is None or row.epoch != epoch or not is_known:
        row = (await connection.execute(_CLAIM, {"shard": shard, "epoch": epoch})).one_or_none()
    if row is None:
        raise LeaseLostError(relay_lease(shard), epoch)
    return Cursor(**row._mapping)


async def write(connection: AsyncConnection, cursor: Cursor) -> None:
    """Store a cursor, if its epoch is still the row's.

    Raises:
        LeaseLostError: a later holder has it; nothing was changed.
    """
    values = {name: getattr(cursor, name) for name in ("shard", "epoch", "previous", "current", "high", "position")}
    if (await connection.execute(_ADVANCE, values)).rowcount != 1:
        raise LeaseLostError(relay_lease(cursor.shard), cursor.epoch)


async def fence(connection: AsyncConnection, cursor: Cursor) -> None:
    """Lock a cursor, as the first of a transaction that changes something for its shard.

    Raises:
        LeaseLostError: a later holder has it.
    """
    if await connection.scalar(_FENCE, {"shard": cursor.shard, "epoch": cursor.epoch}) is None:
        raise LeaseLostError(relay_lease(cursor.shard), cursor.epoch)
