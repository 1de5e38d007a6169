"""Held rows that wait for a topic or partition to take rows again: tried now and then, published in order when it does.

All lines of a topic and key wait for the same place, and are published by position; rows that come meanwhile go behind
them. So each key keeps its order.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from sqlalchemy import ARRAY, BigInteger, LargeBinary, SmallInteger, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.waiting import jittered_seconds
from outbox import cursor as cursors
from outbox import holds as held
from outbox import window, wire
from outbox.auditing import record_settled
from outbox.connection import transaction_on
from outbox.cursor import Cursor
from outbox.holds import Holds, Line
from outbox.refused import Refused
from outbox.settling import Settled
from outbox.wire import Record

# Rows that an operator has asked to skip or to divert are the requests' to serve.
AWAITING: Final = text(
    """
    SELECT w.position, o.bytes, o.position IS NOT NULL
    FROM (
        SELECT position FROM held
        WHERE awaits = :awaits AND slot BETWEEN :slot_from AND :slot_to AND NOT skip_requested
          AND NOT divert_requested
        ORDER BY position
        LIMIT :page_rows
    ) w LEFT JOIN LATERAL (
        SELECT position, octet_length(body) AS bytes FROM outbox WHERE position = w.position LIMIT 1
    ) o ON true
    ORDER BY w.position
    """
).bindparams(
    bindparam("awaits", type_=Text),
    bindparam("slot_from", type_=SmallInteger),
    bindparam("slot_to", type_=SmallInteger),
)

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
    bindparam("slot_from", type_=SmallInteger),
    bindparam("slot_to", type_=SmallInteger),
    bindparam("keys", type_=ARRAY(LargeBinary)),
    bindparam("positions", type_=ARRAY(BigInteger)),
)

_GONE: Final = text(
    """
    UPDATE held SET awaits = NULL, reason = 'the outbox has no such row any more'
    WHERE position = ANY(:positions)
    """
).bindparams(bindparam("positions", type_=ARRAY(BigInteger)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Some rows that are tried again.

    Attributes:
        awaits: the topic or partition for which they waited.
        records: in order.
        missing: positions of which the outbox has no row any more.
    """

    awaits: str
    records: list[Record] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)


class Retries:
    """Finds what is to be tried again, and stores what became of it.

    Args:
        connection: of the relay's reader.
        cursor: with the epoch that fences.
        holds: of the shard.
        page_rows, page_bytes: how much is published at once.
        backoff_first_seconds, backoff_most_seconds: the waits between two tries of a place, full jitter.
    """

    def __init__(
        self,
        *,
        connection: AsyncConnection,
        cursor: Cursor,
        holds: Holds,
        page_rows: int,
        page_bytes: int,
        backoff_first_seconds: float,
        backoff_most_seconds: float,
    ) -> None:
        self._connection = connection
        self._cursor = cursor
        self._holds = holds
        self._page_rows = page_rows
        self._page_bytes = page_bytes
        self._backoff = {"first_seconds": backoff_first_seconds, "most_seconds": backoff_most_seconds}
        self._waits: dict[str, Iterator[float]] = {}
        self._due_at: dict[str, float] = {}

    async def find(self) -> Retry | None:
        """Give what is to be tried now; asks the database only while something waits and its time has come."""
        now = monotonic()
        due = [awaits for awaits in self._holds.awaiting if self._due_at.get(awaits, now) <= now]
        if not due:
            return None
        awaits = min(due, key=lambda each: self._due_at.get(each, 0))
        place = {"awaits": awaits, "page_rows": self._page_rows, **self._holds.slots}
        found = [Line(*row) for row in await self._connection.execute(AWAITING, place)]
        lines = held.cut(found, page_bytes=self._page_bytes)
        rows = await window.fetch_positions(self._connection, [line.position for line in lines if line.is_there])
        missing = [line.position for line in lines if not line.is_there]
        return Retry(awaits=awaits, records=wire.wrap(rows), missing=missing)

    async def settle(self, retry: Retry, settled: Settled) -> int:
        """Store what became of a try.

        Args:
            retry: from `find`; its records were given to the publisher.
            settled: what was not published.

        Returns:
            How many rows wait no longer.

        Raises:
            LeaseLostError: a later epoch has the cursor; nothing was stored.
        """
        waiting = {each.position for each in settled.held}
        done = [record for record in retry.records if record.position not in waiting]
        async with transaction_on(self._connection):
            await cursors.fence(self._connection, self._cursor)
            await held.remove(self._connection, [record.position for record in done])
            await self._part(retry, settled.held)
            await record_settled(self._connection, settled)
            if retry.missing:
                await self._connection.execute(_GONE, {"positions": retry.missing})
        await self._look_again(retry, done)
        self._schedule(retry.awaits, is_taken=bool(done))
        return len(done)

    async def _part(self, retry: Retry, still_held: Sequence[Refused]) -> None:
        """Let the lines wait for something else whose rows do."""
        changed: defaultdict[str | None, list[Refused]] = defaultdict(list)
        for each in still_held:
            if each.awaits != retry.awaits:
                changed[each.awaits].append(each)
        for awaits, rows in changed.items():
            place = {
                "now": awaits,
                "awaits": retry.awaits,
                "keys": list({each.record.key for each in rows if each.record.key is not None}),
                "positions": [each.position for each in rows],
                **self._holds.slots,
            }
            await self._connection.execute(_LET_OTHERS_AWAIT, place)
            if awaits is None:
                for each in rows:
                    await held.explain(self._connection, each.position, each.reason)

    async def _look_again(self, retry: Retry, done: Sequence[Record]) -> None:
        keys: defaultdict[str, set[bytes]] = defaultdict(set)
        for record in retry.records:
            if record.key is not None:
                keys[record.topic].add(record.key)
        for topic, found in keys.items():
            await self._holds.look_again_at_keys(self._connection, topic, found)
        self._holds.forget_without_key(sum(record.key is None for record in done))
        await self._holds.count_awaiting(self._connection)

    def _schedule(self, awaits: str, *, is_taken: bool) -> None:
        if is_taken:
            self._waits.pop(awaits, None)
            self._due_at.pop(awaits, None)
        else:
            waits = self._waits.setdefault(awaits, jittered_seconds(**self._backoff))
            self._due_at[awaits] = monotonic() + next(waits)
