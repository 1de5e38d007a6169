"""Held rows as the relay that leads their shard knows and changes them: the only one that adds and removes lines.

So what it keeps in memory is what the table has, from when its reader opened until a later epoch takes the cursor. All
lines of a topic and key wait for the same: for an operator, or for a topic or partition to take rows again.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from sqlalchemy import ARRAY, BigInteger, LargeBinary, SmallInteger, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from messages.keys import slot_of
from outbox.refused import Refused, behind
from outbox.wire import Record

_LOAD: Final = text(
    """
    SELECT topic, key, min(position), count(*), max(awaits)
    FROM held
    WHERE slot BETWEEN :slot_from AND :slot_to
    GROUP BY topic, key
    """
).bindparams(bindparam("slot_from", type_=SmallInteger), bindparam("slot_to", type_=SmallInteger))

# A page that is published again after a rebase can meet lines that are there already.
_ADD: Final = text(
    """
    INSERT INTO held (position, topic, key, slot, reason, awaits)
    SELECT * FROM unnest(:positions, :topics, :keys, :slots, :reasons, :awaits)
    ON CONFLICT (position) DO NOTHING
    """
).bindparams(
    bindparam("positions", type_=ARRAY(BigInteger)),
    bindparam("topics", type_=ARRAY(Text)),
    bindparam("keys", type_=ARRAY(LargeBinary)),
    bindparam("slots", type_=ARRAY(SmallInteger)),
    bindparam("reasons", type_=ARRAY(Text)),
    bindparam("awaits", type_=ARRAY(Text)),
)

REQUESTED: Final = text(
    """
    SELECT position, topic, key, reason, release_requested, skip_requested, divert_requested
    FROM held
    WHERE (release_requested OR skip_requested OR divert_requested) AND slot BETWEEN :slot_from AND :slot_to
    ORDER BY position
    LIMIT 1
    """
).bindparams(bindparam("slot_from", type_=SmallInteger), bindparam("slot_to", type_=SmallInteger))

_OF_HOLD: Final = """h.slot = :slot AND h.topic = :topic AND h.key IS NOT DISTINCT FROM :key
        AND (h.key IS NOT NULL OR h.position = :position)"""
_PLACE: Final = (
    bindparam("slot", type_=SmallInteger),
    bindparam("topic", type_=Text),
    bindparam("key", type_=LargeBinary),
    bindparam("position", type_=BigInteger),
)

# LATERAL with a LIMIT, so that each row is looked up: joined otherwise, all of the outbox was walked.
LINES: Final = text(
    f"""
    SELECT w.position, o.bytes, o.position IS NOT NULL
    FROM (
        SELECT h.position FROM held h
        WHERE {_OF_HOLD} AND NOT h.skip_requested AND NOT h.divert_requested
        ORDER BY h.position
        LIMIT :page_rows
    ) w LEFT JOIN LATERAL (
        SELECT position, octet_length(body) AS bytes FROM outbox WHERE position = w.position LIMIT 1
    ) o ON true
    ORDER BY w.position
    """  # noqa: S608 - constants only
).bindparams(*_PLACE)

_FIRST: Final = text(
    f"SELECT min(h.position), max(h.awaits) FROM held h WHERE {_OF_HOLD}"  # noqa: S608 - constants only
).bindparams(*_PLACE)

_SLOTS: Final = (bindparam("slot_from", type_=SmallInteger), bindparam("slot_to", type_=SmallInteger))

_FIRST_OF_KEYS: Final = text(
    """
    SELECT key, min(position), max(awaits)
    FROM held
    WHERE slot BETWEEN :slot_from AND :slot_to AND topic = :topic AND key = ANY(:keys)
    GROUP BY key
    """
).bindparams(*_SLOTS, bindparam("topic", type_=Text), bindparam("keys", type_=ARRAY(LargeBinary)))

_COUNT_AWAITING: Final = text(
    """
    SELECT awaits, count(*) AS lines
    FROM held
    WHERE awaits IS NOT NULL AND slot BETWEEN :slot_from AND :slot_to
    GROUP BY awaits
    """
).bindparams(*_SLOTS)

# Lines that came while a release was under way are part of it; and a release that is refused is over.
_MARK: Final = text(
    f"""
    UPDATE held h SET release_requested = :released
    WHERE {_OF_HOLD} AND h.release_requested <> :released
    """  # noqa: S608 - constants only
).bindparams(*_PLACE)

_REMOVE: Final = text("DELETE FROM held WHERE position = ANY(:positions)").bindparams(
    bindparam("positions", type_=ARRAY(BigInteger))
)

_LET_AWAIT: Final = text(
    f"""
    UPDATE held h SET awaits = :awaits
    WHERE {_OF_HOLD} AND h.awaits IS DISTINCT FROM :awaits
    """  # noqa: S608 - constants only
).bindparams(*_PLACE, bindparam("awaits", type_=Text))

_EXPLAIN: Final = text(
    "UPDATE held SET reason = :reason, divert_requested = false WHERE position = :position"
).bindparams(bindparam("position", type_=BigInteger))


class First(NamedTuple):
    """Of a topic and key the lowest held position, and the topic or partition for which it waits, if it does."""

    position: int
    awaits: str | None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an operator wants of a hold: that one line is dropped or diverted, or that all of it is released, or first
    this then that.
    """

    hold: Hold
    position: int
    is_release: bool
    is_skip: bool
    is_divert: bool
    reason: str
    """Why the line is held."""


class Holds:
    """The holds of a shard.

    Args:
        first: of each held topic and key the lowest position, and what it awaits.
        without_key: how many rows without a key are held.
        awaiting: how many rows wait for each topic or partition that takes nothing.
        slot_from, slot_to: the shard's slots, both inclusive.
    """

    def __init__(
        self,
        *,
        first: dict[tuple[str, bytes], First],
        without_key: int,
        awaiting: Counter[str],
        slot_from: int,
        slot_to: int,
    ) -> None:
        self.awaiting = awaiting
        self._first = first
        self._without_key = without_key
        self.slots = {"slot_from": slot_from, "slot_to": slot_to}

    @classmethod
    async def load(cls, connection: AsyncConnection, *, slot_from: int, slot_to: int) -> Self:
        """Read the holds of a range of slots."""
        found = list(await connection.execute(_LOAD, {"slot_from": slot_from, "slot_to": slot_to}))
        awaiting: Counter[str] = Counter()
        for _, _, _, lines, awaits in found:
            if awaits is not None:
                awaiting[awaits] += lines
        return cls(
            first={
                (topic, key): First(position, awaits) for topic, key, position, _, awaits in found if key is not None
            },
            without_key=sum(lines for _, key, _, lines, _ in found if key is None),
            awaiting=awaiting,
            slot_from=slot_from,
            slot_to=slot_to,
        )

    @property
    def are_any(self) -> bool:
        """Whether anything is held; while nothing is, holds cost nothing."""
        return bool(self._first or self._without_key)

    def split(self, records: list[Record]) -> tuple[list[Record], list[Refused]]:
        """Give the records that may be published, and those that wait behind held ones."""
        if not self._first:
            return records, []
        free, waiting = [], []
        for record in records:
            first = None if record.key is None else self._first.get((record.topic, record.key))
            if first is None:
                free.append(record)
            else:
                waiting.append(behind(record, first.position, awaits=first.awaits))
        return free, waiting

    def note(self, held: Iterable[Refused]) -> None:
        """Remember what was added."""
        for each in held:
            if each.awaits is not None:
                self.awaiting[each.awaits] += 1
            if each.record.key is None:
                self._without_key += 1
            else:
                self._first.setdefault((each.record.topic, each.record.key), First(each.position, each.awaits))

    async def find_request(self, connection: AsyncConnection) -> Request | None:
        """Give something that an operator wants."""
        found = (await connection.execute(REQUESTED, self.slots)).one_or_none()
        if found is None:
            return None
        position, topic, key, reason, is_release, is_skip, is_divert = found
        hold = Hold(topic=topic, key=key, position=position)
        return Request(
            hold=hold,
            position=position,
            is_release=is_release,
            is_skip=is_skip,
            is_divert=is_divert and not is_skip,
            reason=reason,
        )

    async def look_again(self, connection: AsyncConnection, hold: Hold) -> bool:
        """See what is left of a hold of which lines were removed; one without lines is over.

        Returns:
            Whether something is left.
        """
        first, awaits = (await connection.execute(_FIRST, hold.place)).one()
        if hold.key is None:
            self._without_key -= first is None
        elif first is None:
            self._first.pop((hold.topic, hold.key), None)
        else:
            self._first[hold.topic, hold.key] = First(first, awaits)
        if self.awaiting or awaits is not None:
            await self.count_awaiting(connection)
        return first is not None

    async def look_again_at_keys(self, connection: AsyncConnection, topic: str, keys: Collection[bytes]) -> None:
        """See what is left of holds of a topic of which lines were removed."""
        place = {"topic": topic, "keys": list(keys), **self.slots}
        left = {key: First(first, awaits) for key, first, awaits in await connection.execute(_FIRST_OF_KEYS, place)}
        for key in keys:
            if key in left:
                self._first[topic, key] = left[key]
            else:
                self._first.pop((topic, key), None)

    def forget_without_key(self, count: int) -> None:
        """Remember that so many lines without a key were removed."""
        self._without_key -= count

    async def count_awaiting(self, connection: AsyncConnection) -> None:
        """See how many rows wait for each topic or partition."""
        counted = await connection.execute(_COUNT_AWAITING, self.slots)
        self.awaiting = Counter({row.awaits: row.lines for row in counted})


async def add(connection: AsyncConnection, held: Sequence[Refused]) -> None:
    """Write a line for each row that is to wait."""
    records = [each.record for each in held]
    await connection.execute(
        _ADD,
        {
            "positions": [record.position for record in records],
            "topics": [record.topic for record in records],
            "keys": [record.key for record in records],
            "slots": [slot_of(record.key) for record in records],
            "reasons": [each.reason for each in held],
            "awaits": [each.awaits for each in held],
        },
    )


async def fetch_lines(connection: AsyncConnection, hold: Hold, *, page_rows: int) -> list[Line]:
    """Give the first lines of a hold that are not to be dropped, by position."""
    return [Line(*row) for row in await connection.execute(LINES, hold.place | {"page_rows": page_rows})]


def cut(lines: list[Line], *, page_bytes: int) -> list[Line]:
    """Give as many lines as a page takes, one at least."""
    total = 0
    for count, line in enumerate(lines):
        total += line.bytes or 0
        if count and total > page_bytes:
            return lines[:count]
    return lines


async def remove(connection: AsyncConnection, positions: Sequence[int]) -> None:
    """Remove lines."""
    await connection.execute(_REMOVE, {"positions": list(positions)})


async def mark(connection: AsyncConnection, hold: Hold, *, released: bool) -> None:
    """Let all lines of a hold be part of a release, or none."""
    await connection.execute(_MARK, hold.place | {"released": released})


async def let_await(connection: AsyncConnection, hold: Hold, awaits: str | None) -> None:
    """Let all lines of a hold wait for a topic or partition, or for an operator."""
    await connection.execute(_LET_AWAIT, hold.place | {"awaits": awaits})


async def explain(connection: AsyncConnection, position: int, reason: str) -> None:
    """Give a line another reason."""
    await connection.execute(_EXPLAIN, {"position": position, "reason": reason})
