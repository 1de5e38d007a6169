"""What the relay's tests share: rows to publish, publishers that record, and writers that try to break the order."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.database import Database
from outbox.append import Outbox, row
from outbox.days import first_position
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


class Writers:
    """A dozen writers that obey the rule (root row locked before rows are added) and otherwise do their worst.

    They pause anywhere, take their transaction id before or after the locks, roll back savepoints and whole
    transactions. One more takes its position first and commits after others whose later positions are published
    already, from a partition three days back, and then adds to a key that all are busy with.
    """

    def __init__(self, *, database: Database, publisher: RecordingPublisher, seed: int, transactions: int = 12) -> None:
        self._database = database
        self._publisher = publisher
        self._seed = seed
        self._transactions = transactions
        self._keys = [f"key-{number}" for number in range(8)]
        self._late_is_in = asyncio.Event()

    async def run(self) -> None:
        """Write until all have done their transactions."""
        await execute(self._database, "CREATE TABLE roots (key text PRIMARY KEY, version bigint NOT NULL)")
        await execute(
            self._database,
            "INSERT INTO roots SELECT key, 0 FROM unnest(ARRAY["
            + ",".join(f"'{key}'" for key in self._keys)
            + "]) key",
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write_late())
            for number in range(12):
                group.create_task(self._write(random.Random(self._seed * 100 + number)))

    async def _write(self, chance: random.Random) -> None:
        await self._late_is_in.wait()
        for _ in range(self._transactions):
            async with self._database.sessions() as session:
                await self._write_once(session, chance)
                await _pause(chance)
                await (session.rollback() if chance.random() < 0.1 else session.commit())

    async def _write_once(self, session: AsyncSession, chance: random.Random) -> None:
        if chance.random() < 0.5:
            await session.execute(text("SELECT pg_current_xact_id()"))
            await _pause(chance)
        for key in sorted(chance.sample(self._keys, chance.randint(1, 3))):
            version = await self._lock(session, key)
            await _pause(chance)
            if chance.random() < 0.3:
                savepoint = await session.begin_nested()
                await append_rows(session, key, [version + 1])
                await savepoint.rollback()
            numbers = range(version + 1, version + 1 + chance.randint(1, 4))
            await self._append(session, key, numbers)
            await _pause(chance)

    async def _write_late(self) -> None:
        async with self._database.sessions() as session:
            await append_rows(session, "late", [1])
            position = await session.scalar(text("SELECT currval('outbox_position')"))
            days_on = first_position(datetime.now(UTC).date()) + 3 * 10**10
            await session.execute(text(f"SELECT setval('outbox_position', {days_on}, false)"))
            self._late_is_in.set()
            await self._publisher.wait_until(lambda records: any(record.position > position for record in records))
            version = await self._lock(session, self._keys[0])
            await self._append(session, self._keys[0], [version + 1])
            await session.commit()

    async def _lock(self, session: AsyncSession, key: str) -> int:
        locked = await session.scalar(text("SELECT version FROM roots WHERE key = :key FOR UPDATE"), {"key": key})
        return int(locked)

    async def _append(self, session: AsyncSession, key: str, numbers: Sequence[int]) -> None:
        await append_rows(session, key, numbers)
        await session.execute(
            text("UPDATE roots SET version = :version WHERE key = :key"), {"version": numbers[-1], "key": key}
        )


async def _pause(chance: random.Random) -> None:
    await asyncio.sleep(chance.choice((0, 0, 0.001, 0.003)))


async def relay_beside(writers: Writers, step: Callable[[], Awaitable[int]]) -> None:
    """Step a relay while the writers write, then until nothing is left."""
    writing = asyncio.ensure_future(writers.run())
    try:
        while not writing.done():
            await _try(step)
        await writing
    finally:
        writing.cancel()
    while await _try(step):
        pass


async def _try(step: Callable[[], Awaitable[int]]) -> int:
    try:
        return await step()
    except DisturbedError:
        return 1
