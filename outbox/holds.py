"""The holds of a shard in memory, as the relay that leads it knows them: what waits is left out of pages.

Only that relay adds and removes lines of the table, so what it keeps in memory is what the table has, from when its
reader opened until a later epoch takes the cursor.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, Self

from sqlalchemy import ARRAY, LargeBinary, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from outbox.held import HOLD, OF_HOLD, SLOTS, Hold
from outbox.refused import Refused, behind
from outbox.wire import Record

_LOAD: Final = text(
    """
    SELECT topic, key, min(position), count(*), max(awaits)
    FROM held
    WHERE slot BETWEEN :slot_from AND :slot_to
    GROUP BY topic, key
    """
).bindparams(*SLOTS)

_FIRST: Final = text(
    f"SELECT min(h.position), max(h.awaits) FROM held h WHERE {OF_HOLD}"  # noqa: S608 - constants only
).bindparams(*HOLD)

_FIRST_OF_KEYS: Final = text(
    """
    SELECT key, min(position), max(awaits)
    FROM held
    WHERE slot BETWEEN :slot_from AND :slot_to AND topic = :topic AND key = ANY(:keys)
    GROUP BY key
    """
).bindparams(*SLOTS, bindparam("topic", type_=Text), bindparam("keys", type_=ARRAY(LargeBinary)))

_COUNT_AWAITING: Final = text(
    """
    SELECT awaits, count(*) AS lines
    FROM held
    WHERE awaits IS NOT NULL AND slot BETWEEN :slot_from AND :slot_to
    GROUP BY awaits
    """
).bindparams(*SLOTS)


class First(NamedTuple):
    """Of a topic and key the lowest held position, and the topic or partition for which it waits, if it does."""

    position: int
    awaits: str | None


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

    def note(self, added: Iterable[Refused]) -> None:
        """Remember what was added."""
        for each in added:
            if each.awaits is not None:
                self.awaiting[each.awaits] += 1
            if each.record.key is None:
                self._without_key += 1
            else:
                self._first.setdefault((each.record.topic, each.record.key), First(each.position, each.awaits))

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
