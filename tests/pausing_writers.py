"""A dozen writers that try to break the order of what a relay publishes beside them."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.database import Database
from outbox.days import first_position
from tests.relaying import DisturbedError, RecordingPublisher, append_rows, execute


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
