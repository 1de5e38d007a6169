"""What the relay's tests share: rows to publish, publishers that record, relays that lead, and a judgement."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.database import Database
from outbox.append import Outbox, row
from outbox.lease import Lease, relay_lease
from outbox.refused import Refused, behind
from outbox.relay import Relay
from outbox.settling import Publisher, RefusalPolicy
from outbox.wire import Record
from tests.making import NOON_MICROSECONDS

TOPIC = "squad.events"

Disturbance = Callable[[Sequence[Record]], Awaitable[None]]


class DisturbedError(ConnectionError):
    """A connection that broke because a test wanted it to."""


@dataclass(slots=True)
class RecordingPublisher:
    """Keeps what it is given; `before` and `after` may wait, or break it off, `refuse` says what is never taken, and
    `blocked` which topics take nothing now.
    """

    before: Disturbance | None = None
    after: Disturbance | None = None
    refuse: Callable[[Record], bool] = lambda _: False
    blocked: set[str] = field(default_factory=set)
    records: list[Record] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def positions(self) -> list[int]:
        return [record.position for record in self.records]

    async def publish(self, records: Sequence[Record], *, once: bool = False) -> Sequence[Refused]:
        if self.before is not None:
            await self.before(records)
        refused = self._refuse(records)
        left_out = {each.position for each in refused}
        async with self.changed:
            self.records.extend(record for record in records if record.position not in left_out)
            self.changed.notify_all()
        if self.after is not None:
            await self.after(records)
        return refused

    async def close(self) -> None:
        pass

    def _refuse(self, records: Sequence[Record]) -> list[Refused]:
        refused: list[Refused] = []
        stuck: dict[tuple[str, bytes], int] = {}
        for record in records:
            if record.key is not None and (record.topic, record.key) in stuck:
                refused.append(behind(record, stuck[record.topic, record.key]))
            elif record.topic in self.blocked:
                refused.append(Refused(record=record, reason="a test blocks it", awaits=record.topic))
            elif self.refuse(record):
                refused.append(Refused(record=record, reason="a test says so"))
                if record.key is not None:
                    stuck[record.topic, record.key] = record.position
        return refused

    async def wait_until(self, predicate: Callable[[list[Record]], bool]) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: predicate(self.records))


class Noted(logging.Handler):
    """Notes that a log line with some beginning was written."""

    def __init__(self, beginning: str) -> None:
        super().__init__()
        self._beginning = beginning
        self.event = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._beginning):
            self.event.set()


async def append_rows(
    session: AsyncSession, key: str | None, numbers: Sequence[int], *, topic: str = TOPIC, body_bytes: int = 20
) -> None:
    """Add rows of one key; `numbers` are their sequences."""
    outbox = Outbox()
    for number in numbers:
        outbox.append(
            row(
                topic=topic,
                key=None if key is None else key.encode(),
                event_id=str(uuid4()),
                type="squad.task-created.v1",
                source="/tests",
                time_microseconds=NOON_MICROSECONDS,
                recorded_microseconds=NOON_MICROSECONDS,
                sequence=number,
                content_type="application/json",
                body=b"x" * body_bytes,
            )
        )
    await outbox.write(session)


async def write_rows(
    database: Database, key: str | None, numbers: Sequence[int], *, topic: str = TOPIC, body_bytes: int = 20
) -> None:
    """Commit rows of one key."""
    async with database.transaction() as session:
        await append_rows(session, key, numbers, topic=topic, body_bytes=body_bytes)


@asynccontextmanager
async def leading_relay(
    database: Database,
    publisher: Publisher,
    *,
    page_rows: int = 2000,
    page_bytes: int = 2**24,
    refusals: RefusalPolicy | None = None,
    is_paused: Callable[[], bool] = lambda: False,
    shard: int = 0,
    waiting_most_rows: int = 100_000,
) -> AsyncIterator[Relay]:
    """Give a relay that took the lease, from whomever."""
    lease = Lease(database=database, name=relay_lease(shard), ttl_seconds=600)
    async with asyncio.timeout(10):
        while not await lease.acquire_once():
            # It may be renewed between the two.
            await execute(database, "UPDATE leases SET expires_at = '-infinity'")
    relay = Relay(
        database=database,
        publisher=publisher,
        lease=lease,
        refusals=refusals,
        is_paused=is_paused,
        shard=shard,
        page_rows=page_rows,
        page_bytes=page_bytes,
        waiting_most_rows=waiting_most_rows,
        backoff_first_seconds=0.001,
        backoff_most_seconds=0.01,
    )
    try:
        yield relay
    finally:
        await relay.close()


async def execute(database: Database, statement: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(statement))


async def fetch_rows(database: Database, query: str) -> Sequence[Row[Any]]:
    async with database.sessions() as session:
        return (await session.execute(text(query))).all()


async def fetch_cursor(database: Database) -> dict[str, object]:
    async with database.sessions() as session:
        row = (await session.execute(text("SELECT * FROM relay_cursors"))).one()
    return dict(row._mapping)


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What became of the committed rows."""

    committed: int
    lost: set[int]
    repeated: int
    disordered: list[str]


async def judge(database: Database, records: Sequence[Record]) -> Verdict:
    """Compare what is committed with what was published."""
    async with database.sessions() as session:
        rows = (await session.execute(text("SELECT position, key, sequence FROM outbox"))).all()
    places = {row.position: (row.key.decode(), row.sequence) for row in rows}
    first: dict[int, None] = dict.fromkeys(record.position for record in records)
    sequences: dict[str, list[int]] = {}
    for position in first:
        key, sequence = places[position]
        sequences.setdefault(key, []).append(sequence)
    return Verdict(
        committed=len(places),
        lost=places.keys() - first.keys(),
        repeated=len(records) - len(first),
        disordered=[key for key, found in sequences.items() if found != sorted(found)],
    )
