"""Writers that obey one rule, the root row locked before rows are added, and otherwise do their worst."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from db.database import Database
from db.errors import sqlstate
from outbox.append import Outbox, row
from outbox.connection import own_connection
from outbox.days import first_position
from tests.making import NOON_MICROSECONDS
from tests.relaying import execute, fetch_rows

HOT = "key-0"
LATE = "late"
GIVEN_UP = frozenset({"40P01", "55P03", "57014", "23514"})
"""Deadlock and timeouts, which these writers may run into: whoever holds a root waits for the outbox, and a partition
that is being detached locks it. And no partition: a statement does not know one that was attached since it began, but
gets a position of it when the sequence jumps there at once, which it does where maintenance was days late."""

_LOCK = text("SELECT version FROM roots WHERE key = :key FOR UPDATE")
_RAISE = text("UPDATE roots SET version = :version WHERE key = :key")


@dataclass(slots=True)
class Clock:
    """Gives a time that goes on by days, when it is told to."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def go_on(self) -> None:
        self.now += timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class UnrulyWriters:
    """A dozen and two that write until `stop`.

    They pause anywhere, take their transaction id before or after the locks, burn positions before them, undo
    savepoints and whole transactions, and prepare transactions that keep their locks until somebody else ends them. One
    begins, sleeps for seconds and then adds to a key that all are busy with. One takes its position first, and commits
    when later days' positions are published already, with a row more for that same key, once it may.

    Args:
        database: where they write; its pool has room for all of them.
        topic: where their rows are to go.
        seed: of their chances.
        clock: by which days change.
        sleep_seconds: how long the sleeper sleeps.
        late_days: how many days the late one lets pass.
    """

    database: Database
    topic: str
    seed: int
    clock: Clock
    writers: int = 12
    sleep_seconds: float = 2
    late_days: int = 2
    keys: Sequence[str] = (HOT, *(f"key-{number}" for number in range(1, 20)))
    done: Counter[str] = field(default_factory=Counter)
    committed: set[int] = field(default_factory=set)
    """Which of the writers committed something."""
    may_begin: asyncio.Event = field(default_factory=asyncio.Event)
    late_is_in: asyncio.Event = field(default_factory=asyncio.Event)
    late_is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    late_may_end: asyncio.Event = field(default_factory=asyncio.Event)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)
    _at_it: set[int] = field(default_factory=set)
    """Which of the writers are in a transaction."""

    async def run(self) -> None:
        """Write until `stop`, whenever `may_begin` is set; whoever is at something brings it to its end."""
        self.may_begin.set()
        await execute(self.database, "CREATE TABLE roots (key text PRIMARY KEY, version bigint NOT NULL)")
        for key in (LATE, *self.keys):
            await execute(self.database, f"INSERT INTO roots VALUES ('{key}', 0)")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write_late())
                group.create_task(self._write_after_sleeping(random.Random(self.seed)))
                for number in range(self.writers):
                    group.create_task(self._write(random.Random(self.seed * 1000 + number), number))
        finally:
            await self._end_prepared()

    def stop(self) -> None:
        """Let each end after the transaction that it is in."""
        self._stopped.set()
        self.may_begin.set()
        self.late_may_end.set()

    async def _write(self, chance: random.Random, number: int) -> None:
        await self.late_is_in.wait()
        while not self._stopped.is_set():
            await self.may_begin.wait()
            async with self._transaction() as session:
                self._at_it.add(number)
                self.done["all writers at once"] += len(self._at_it) == self.writers
                await self._add(session, chance)
                await self._pause(chance)
                if await self._end(session, chance):
                    self.committed.add(number)
            self._at_it.discard(number)

    async def _add(self, session: AsyncSession, chance: random.Random) -> None:
        if chance.random() < 0.4:
            await session.execute(text("SELECT pg_current_xact_id()"))
            self.done["transaction's id before the locks"] += 1
            await self._pause(chance)
        else:
            self.done["transaction's id after the locks"] += 1
        if chance.random() < 0.2:
            await session.execute(text("SELECT nextval('outbox_position')"))
            self.done["position before the locks"] += 1
            await self._pause(chance)
        for key in sorted(chance.sample(self.keys, chance.randint(1, 3)) + [HOT] * (chance.random() < 0.3)):
            version = await self._lock(session, key)
            await self._pause(chance)
            for way in chance.choices(("ROLLBACK TO", "RELEASE"), k=chance.choice((0, 0, 1, 2))):
                await session.execute(text("SAVEPOINT s"))
                added = await self._append(session, key, version, chance)
                await self._pause(chance)
                await session.execute(text(f"{way} SAVEPOINT s"))
                self.done[f"savepoint: {way.lower()}"] += 1
                version = added if way == "RELEASE" else version
            await self._append(session, key, version, chance)
            await self._pause(chance)

    async def _end(self, session: AsyncSession, chance: random.Random) -> bool:
        """Commit, or not, or prepare and let somebody else do that later; tell whether it is committed."""
        draw = chance.random()
        if draw >= 0.2:
            await session.execute(text("COMMIT"))
            self.done["committed"] += 1
            return True
        if draw < 0.08:
            await session.execute(text("ROLLBACK"))
            self.done["rolled back"] += 1
            return False
        name = f"'{uuid4()}'"
        await session.execute(text(f"PREPARE TRANSACTION {name}"))
        await asyncio.sleep(chance.choice((0, 0.01, 0.1)))
        how = "ROLLBACK" if chance.random() < 0.2 else "COMMIT"
        async with own_connection(self.database) as other:
            await other.execute(text(f"{how} PREPARED {name}"))
        self.done[f"prepared: {how.lower()}"] += 1
        return how == "COMMIT"

    async def _write_after_sleeping(self, chance: random.Random) -> None:
        await self.late_is_in.wait()
        while not self._stopped.is_set():
            async with self._transaction() as session:
                await session.execute(text("SELECT pg_current_xact_id()"))
                await asyncio.sleep(self.sleep_seconds)
                await self._append(session, HOT, await self._lock(session, HOT), chance)
                await session.execute(text("COMMIT"))
                self.done["slept"] += 1

    async def _write_late(self) -> None:
        chance = random.Random(self.seed)
        while not self.done["late"]:
            day = self.clock().date() + timedelta(days=self.late_days)
            async with self._transaction() as session:
                await self._append(session, LATE, await self._lock(session, LATE), chance)
                self.late_is_in.set()
                await self._wait_until_published(first_position(day))
                await self._append(session, HOT, await self._lock(session, HOT), chance)
                self.late_is_ready.set()
                await self.late_may_end.wait()
                # For whoever retires its day: that has begun then, and waits for it.
                await asyncio.sleep(0.2)
                await session.execute(text("COMMIT"))
                self.done["late"] += 1

    async def _wait_until_published(self, position: int) -> None:
        query = "SELECT max(position) FROM relay_cursors"
        while (await fetch_rows(self.database, query))[0][0] < position:  # noqa: ASYNC110 - the table has no event
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose transaction is ended by hand; who loses a race for a lock gives up."""
        autocommit = self.database.engine.execution_options(isolation_level="AUTOCOMMIT")
        async with autocommit.connect() as connection:
            session = AsyncSession(connection, expire_on_commit=False)
            await session.execute(text("BEGIN"))
            try:
                yield session
            except DBAPIError as error:
                await connection.invalidate()
                if sqlstate(error) not in GIVEN_UP:
                    raise
                self.done["gave up"] += 1
            except BaseException:
                await connection.invalidate()
                raise

    async def _lock(self, session: AsyncSession, key: str) -> int:
        return int(await session.scalar(_LOCK, {"key": key}))

    async def _append(self, session: AsyncSession, key: str, version: int, chance: random.Random) -> int:
        """Add some events of a key whose root is locked; give its version then."""
        outbox, last = Outbox(), version + chance.randint(1, 4)
        await session.execute(_RAISE, {"key": key, "version": last})
        for number in range(version + 1, last + 1):
            outbox.append(self._event(key, number, body_bytes=chance.choice((20, 200, 2000))))
        await outbox.write(session)
        return last

    def _event(self, key: str, number: int, *, body_bytes: int) -> tuple[object, ...]:
        return row(
            topic=self.topic,
            key=key.encode(),
            event_id=str(uuid4()),
            type="squad.task-created.v1",
            source="/tests",
            time_microseconds=NOON_MICROSECONDS,
            recorded_microseconds=NOON_MICROSECONDS,
            sequence=number,
            content_type="application/json",
            body=f"{key} {number} ".encode().ljust(body_bytes, b"."),
        )

    async def _end_prepared(self) -> None:
        """Undo what was prepared and is not over, after an error: it would keep its locks for ever."""
        query = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
        async with own_connection(self.database) as connection:
            for name in await connection.scalars(text(query)):
                await connection.execute(text(f"ROLLBACK PREPARED '{name}'"))

    async def _pause(self, chance: random.Random) -> None:
        seconds = chance.choice((0, 0, 0, 0, 0.001, 0.002, 0.01))
        await asyncio.sleep(seconds)
        self.done["paused"] += seconds > 0
