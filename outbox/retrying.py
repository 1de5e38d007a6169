"""Held rows that wait for a topic or partition to take rows again: tried now and then, published in order when it does.

All lines of a topic and key wait for the same place, and are published by position; rows that come meanwhile go behind
them. So each key keeps its order.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic

from db.waiting import jittered_seconds
from outbox import held
from outbox.auditing import record_settled
from outbox.held_pages import HeldPages
from outbox.refused import Refused
from outbox.settling import Settled
from outbox.wire import Record


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
        pages: the shard's held rows.
        first_seconds, most_seconds: the waits between two tries of a place, full jitter.
    """

    def __init__(self, *, pages: HeldPages, first_seconds: float, most_seconds: float) -> None:
        self._pages = pages
        self._connection = pages.connection
        self._holds = pages.holds
        self._backoff = {"first_seconds": first_seconds, "most_seconds": most_seconds}
        self._waits: dict[str, Iterator[float]] = {}
        self._due_at: dict[str, float] = {}

    async def find(self) -> Retry | None:
        """Give what is to be tried now; asks the database only while something waits and its time has come.

        Rows that an operator has asked to skip or to divert are the releases' to serve.
        """
        now = monotonic()
        due = [awaits for awaits in self._holds.awaiting if self._due_at.get(awaits, now) <= now]
        if not due:
            return None
        awaits = min(due, key=lambda each: self._due_at.get(each, 0))
        lines = await held.fetch_awaiting(
            self._connection, awaits, slots=self._holds.slots, page_rows=self._pages.page_rows
        )
        records, missing = await self._pages.fetch(lines)
        return Retry(awaits=awaits, records=records, missing=missing)

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
        async with self._pages.settling():
            await held.remove(self._connection, [record.position for record in done])
            await self._part(retry, settled.held)
            await record_settled(self._connection, settled)
            if retry.missing:
                await held.let_gone_await(self._connection, retry.missing)
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
            await held.let_others_await(
                self._connection, rows, awaited=retry.awaits, awaits=awaits, slots=self._holds.slots
            )
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
