"""Shards: ranges of slots, each with a cursor, so that several relays share the outbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, SmallInteger, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from db import audit, controls
from messages.keys import SLOTS
from outbox.errors import MissingCursorError, PausedShardsError, UncoveredSlotsError, UnmergeableError
from outbox.takeover import take_over
from outbox.window import Window, take_snapshot

_LIST: Final = text("SELECT shard, slot_from, slot_to FROM relay_cursors ORDER BY slot_from")

_READ: Final = text(
    """
    SELECT shard, slot_from, slot_to, CAST(previous AS text) AS previous, CAST(current AS text) AS current, high,
           position, system_identifier, database_oid, outbox_oid, timeline
    FROM relay_cursors
    ORDER BY slot_from
    """
)
_CLEAR: Final = text("DELETE FROM relay_cursors")
_INSERT: Final = text(
    """
    INSERT INTO relay_cursors
        (shard, slot_from, slot_to, previous, current, high, position, epoch,
         system_identifier, database_oid, outbox_oid, timeline)
    VALUES
        (:shard, :slot_from, :slot_to, CAST(CAST(:previous AS text) AS pg_snapshot),
         CAST(CAST(:current AS text) AS pg_snapshot), :high, :position, :epoch,
         :system_identifier, :database_oid, :outbox_oid, :timeline)
    """
).bindparams(
    bindparam("shard", type_=Integer),
    bindparam("slot_from", type_=SmallInteger),
    bindparam("slot_to", type_=SmallInteger),
    bindparam("previous", type_=Text),
    bindparam("current", type_=Text),
    *(bindparam(name, type_=BigInteger) for name in ("high", "position", "epoch")),
    *(bindparam(name, type_=BigInteger) for name in ("system_identifier", "database_oid", "outbox_oid", "timeline")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A range of slots, both ends inclusive."""

    shard: int
    slot_from: int
    slot_to: int


def plan_shards(count: int) -> list[Shard]:
    """Deal all slots to so many shards, as evenly as can be.

    Raises:
        ValueError: there is no shard without a slot, and none with less.
    """
    if not 1 <= count <= SLOTS:
        raise ValueError(f"there can be 1 to {SLOTS} shards, not {count}")
    edges = [number * SLOTS // count for number in range(count + 1)]
    return [Shard(shard=number, slot_from=edges[number], slot_to=edges[number + 1] - 1) for number in range(count)]


async def fetch_shards(connection: AsyncConnection | AsyncSession) -> list[Shard]:
    """Give the shards that there are, by slot.

    Raises:
        MissingCursorError: there is none.
        UncoveredSlotsError: some slots belong to none or to two, so that their rows would be lost or out of order.
    """
    shards = [Shard(**row._mapping) for row in await connection.execute(_LIST)]
    if not shards:
        raise MissingCursorError(0)
    expected = 0
    for each in shards:
        if each.slot_from != expected:
            raise UncoveredSlotsError(shards=len(shards), slot=min(expected, each.slot_from))
        expected = each.slot_to + 1
    if expected != SLOTS:
        raise UncoveredSlotsError(shards=len(shards), slot=expected)
    return shards


async def reshard(session: AsyncSession, *, count: int, reason: str) -> list[Shard]:
    """Make so many shards of those that there are; relays that lead notice and begin with the new ones.

    A shard that lies within one of the old ones takes over its cursor, open window and all: a window is defined by its
    cursor, and pages by position. One over several needs a snapshot up to which all of them have published everything.

    Args:
        session: in a transaction of its own, which the caller commits.
        count: how many shards there are to be.
        reason: for the audit.

    Returns:
        The shards before.

    Raises:
        PausedShardsError: a shard is paused by its number.
        UnmergeableError: shards that are to become one have rows left to publish; nothing is changed.
        ValueError: so many there cannot be.
    """
    planned = plan_shards(count)
    pauses = controls.Pauses.among(await controls.fetch_controls(session))
    if paused := [each for each in pauses.whys if each.startswith(f"{controls.RELAY}-")]:
        raise PausedShardsError(", ".join(paused))
    epochs = await take_over(session)
    before = await fetch_shards(session)
    cursors = [dict(row._mapping) for row in await session.execute(_READ)]
    made = [await _inherit(session, shard, cursors) for shard in planned]
    await session.execute(_CLEAR)
    for cursor in made:
        await session.execute(_INSERT, cursor | {"epoch": epochs.get(cursor["shard"], 0)})
    await audit.record(
        session,
        action="relay reshard",
        target="relay_cursors",
        reason=reason,
        before={"shards": len(before)},
        after={"shards": count},
    )
    return before


async def _inherit(session: AsyncSession, shard: Shard, cursors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Give the cursor of a new shard."""
    donors = [each for each in cursors if each["slot_from"] <= shard.slot_to and shard.slot_from <= each["slot_to"]]
    own = {"shard": shard.shard, "slot_from": shard.slot_from, "slot_to": shard.slot_to}
    if len({_state(each) for each in donors}) == 1:
        return donors[0] | own
    snapshot = await take_snapshot(await session.connection())
    for donor in donors:
        await _check_published(await session.connection(), donor, snapshot)
    position = max(each["position"] for each in donors)
    return donors[0] | own | {"previous": snapshot, "current": None, "high": None, "position": position}


def _state(cursor: dict[str, Any]) -> tuple[object, ...]:
    """What two cursors must have in common to be one; where in a window that is closed is of no matter."""
    return cursor["previous"], cursor["current"], cursor["current"] and (cursor["high"], cursor["position"])


async def _check_published(connection: AsyncConnection, donor: dict[str, Any], snapshot: str) -> None:
    slots = {name: donor[name] for name in ("slot_from", "slot_to")}
    survey = await Window(previous=donor["previous"], current=snapshot, **slots).survey(connection)
    if donor["current"] is not None or survey is not None:
        raise UnmergeableError(shard=donor["shard"])
