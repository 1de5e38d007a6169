"""The lines of the table of held rows, one for a row, as the relay that leads their shard finds and changes them.

All lines of a topic and key wait for the same: for an operator, or for a topic or partition to take rows again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, LargeBinary, SmallInteger, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from messages.keys import slot_of
from outbox.refused import Refused

_POSITIONS: Final = bindparam("positions", type_=ARRAY(BigInteger))
SLOTS: Final = (bindparam("slot_from", type_=SmallInteger), bindparam("slot_to", type_=SmallInteger))

OF_HOLD: Final = """h.slot = :slot AND h.topic = :topic AND h.key IS NOT DISTINCT FROM :key
        AND (h.key IS NOT NULL OR h.position = :position)"""
HOLD: Final = (
    bindparam("slot", type_=SmallInteger),
    bindparam("topic", type_=Text),
    bindparam("key", type_=LargeBinary),
    bindparam("position", type_=BigInteger),
)
"""Which lines are of a hold, called `h`, and what `Hold.place` gives for that."""

# A page that is published again after a rebase can meet lines that are there already.
_ADD: Final = text(
    """
    INSERT INTO held (position, topic, key, slot, reason, awaits)
    SELECT * FROM unnest(:positions, :topics, :keys, :slots, :reasons, :awaits)
    ON CONFLICT (position) DO NOTHING
    """
).bindparams(
    _POSITIONS,
    bindparam("topics", type_=ARRAY(Text)),
    bindparam("keys", type_=ARRAY(LargeBinary)),
    bindparam("slots", type_=ARRAY(SmallInteger)),
    bindparam("reasons", type_=ARRAY(Text)),
    bindparam("awaits", type_=ARRAY(Text)),
)

# LATERAL with a LIMIT, so that each row is looked up: joined otherwise, all of the outbox was walked. Lines that an
# operator has asked to skip or to divert are served one by one.
_LINES: Final = """
    SELECT w.position, o.bytes, o.position IS NOT NULL
    FROM (
        SELECT h.position FROM held h
        WHERE {which} AND NOT h.skip_requested AND NOT h.divert_requested
        ORDER BY h.position
        LIMIT :page_rows
    ) w LEFT JOIN LATERAL (
        SELECT position, octet_length(body) AS bytes FROM outbox WHERE position = w.position LIMIT 1
    ) o ON true
    ORDER BY w.position"""

LINES: Final = text(_LINES.format(which=OF_HOLD)).bindparams(*HOLD)
AWAITING: Final = text(_LINES.format(which="h.awaits = :awaits AND h.slot BETWEEN :slot_from AND :slot_to")).bindparams(
    bindparam("awaits", type_=Text), *SLOTS
)

# Lines that came while a release was under way are part of it; and a release that is refused is over.
_MARK: Final = text(
    f"""
    UPDATE held h SET release_requested = :released
    WHERE {OF_HOLD} AND h.release_requested <> :released
    """  # noqa: S608 - constants only
).bindparams(*HOLD)

_LET_AWAIT: Final = text(
    f"""
    UPDATE held h SET awaits = :awaits
    WHERE {OF_HOLD} AND h.awaits IS DISTINCT FROM :awaits
    """  # noqa: S608 - constants only
).bindparams(*HOLD, bindparam("awaits", type_=Text))

# All lines of their keys, because those of a key wait for the same.
_LET_OTHERS_AWAIT: Final = text(
    """
    UPDATE held SET awaits = :now
    WHERE awaits = :awaits AND slot BETWEEN :slot_from AND :slot_to
      AND (key = ANY(:keys) OR position = ANY(:positions))
    """
).bindparams(
    bindparam("now", type_=Text),
    bindparam("awaits", type_=Text),
    *SLOTS,
    bindparam("keys", type_=ARRAY(LargeBinary)),
    _POSITIONS,
)

GONE: Final = "the outbox has no such row any more"
"""Why a line is held of which somebody removed the row."""

_GONE: Final = text("UPDATE held SET awaits = NULL, reason = :reason WHERE position = ANY(:positions)").bindparams(
    _POSITIONS
)

_EXPLAIN: Final = text(
    "UPDATE held SET reason = :reason, divert_requested = false WHERE position = :position"
).bindparams(bindparam("position", type_=BigInteger))

_REMOVE: Final = text("DELETE FROM held WHERE position = ANY(:positions)").bindparams(_POSITIONS)


class Line(NamedTuple):
    """A line of the table; `is_there` is false when somebody removed the row that it holds from the outbox."""

    position: int
    bytes: int | None
    is_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What waits together: the lines of a topic and key, or one line without a key, which has no order to keep."""

    topic: str
    key: bytes | None
    position: int
    """Of a line of it; the only one where there is no key."""

    @property
    def place(self) -> dict[str, object]:
        """Give what finds the hold's lines."""
        return {"slot": slot_of(self.key), "topic": self.topic, "key": self.key, "position": self.position}


async def add(connection: AsyncConnection, rows: Sequence[Refused]) -> None:
    """Write a line for each row that is to wait."""
    records = [each.record for each in rows]
    await connection.execute(
        _ADD,
        {
            "positions": [record.position for record in records],
            "topics": [record.topic for record in records],
            "keys": [record.key for record in records],
            "slots": [slot_of(record.key) for record in records],
            "reasons": [each.reason for each in rows],
            "awaits": [each.awaits for each in rows],
        },
    )


async def fetch_lines(connection: AsyncConnection, hold: Hold, *, page_rows: int) -> list[Line]:
    """Give the first lines of a hold that are not to be dropped or diverted, by position."""
    return [Line(*row) for row in await connection.execute(LINES, hold.place | {"page_rows": page_rows})]


async def fetch_awaiting(
    connection: AsyncConnection, awaits: str, *, slots: Mapping[str, int], page_rows: int
) -> list[Line]:
    """Give the first lines of some slots that wait for a topic or partition, by position, as `fetch_lines` does."""
    place = {"awaits": awaits, "page_rows": page_rows, **slots}
    return [Line(*row) for row in await connection.execute(AWAITING, place)]


async def mark(connection: AsyncConnection, hold: Hold, *, released: bool) -> None:
    """Let all lines of a hold be part of a release, or none."""
    await connection.execute(_MARK, hold.place | {"released": released})


async def let_await(connection: AsyncConnection, hold: Hold, awaits: str | None) -> None:
    """Let all lines of a hold wait for a topic or partition, or for an operator."""
    await connection.execute(_LET_AWAIT, hold.place | {"awaits": awaits})


async def let_others_await(
    connection: AsyncConnection,
    rows: Sequence[Refused],
    *,
    awaited: str,
    awaits: str | None,
    slots: Mapping[str, int],
) -> None:
    """Let the lines of some rows, and all of their keys, wait for something else than they did.

    Args:
        connection: in the transaction that settles them.
        rows: whose lines.
        awaited: the topic or partition for which they waited.
        awaits: the one for which they wait from now on; an operator, where there is none.
        slots: the shard's.
    """
    place = {
        "now": awaits,
        "awaits": awaited,
        "keys": list({each.record.key for each in rows if each.record.key is not None}),
        "positions": [each.position for each in rows],
        **slots,
    }
    await connection.execute(_LET_OTHERS_AWAIT, place)


async def let_gone_await(connection: AsyncConnection, positions: Collection[int]) -> None:
    """Let lines of which the outbox has no row any more wait for an operator."""
    await connection.execute(_GONE, {"positions": list(positions), "reason": GONE})


async def explain(connection: AsyncConnection, position: int, reason: str) -> None:
    """Give a line another reason, and let it not be diverted."""
    await connection.execute(_EXPLAIN, {"position": position, "reason": reason})


async def remove(connection: AsyncConnection, positions: Sequence[int]) -> None:
    """Remove lines."""
    await connection.execute(_REMOVE, {"positions": list(positions)})
