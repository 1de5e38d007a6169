"""Batches that are settled as the consumer settles them, without Kafka; and what became of their commands."""

import asyncio
from collections import Counter

from sqlalchemy import text

from consumers.culprits import Culprit
from consumers.failures import Settler
from consumers.records import Batch
from db.database import Database
from tests import making
from tests.applying import Bench
from tests.making import FakeRecord, new_id, record
from tests.sources import NobodyElse, Readers


class Settling:
    """A bench whose batches are settled, and two owners, each with a squad."""

    def __init__(self, bench: Bench, **options) -> None:
        self.bench, self.readers = bench, NobodyElse()
        self.settler = Settler(
            processor=bench.processor,
            source=self.readers,
            attempts=1,
            backoff_seconds=0.001,
            backoff_most_seconds=0.01,
            **options,
        )
        self.ada, self.bob, self.mine, self.other = (new_id() for _ in range(4))

    async def begin(self) -> None:
        await self.settle(record(making.register_user(self.ada)), record(making.register_user(self.bob)))
        await self.settle(*(record(making.create_squad(self.ada, squad)) for squad in (self.mine, self.other)))

    async def settle(self, *records: FakeRecord, partition: int = 0) -> None:
        await self.settler.settle(await self.bench.batch(records, partition=partition))

    async def outcomes(self) -> dict[str, tuple[str, bool]]:
        rows = await self.bench.rows(
            "SELECT command_id, outcome, outcome_final FROM inbox WHERE length(command_id) = 1"
        )
        return {row[0]: (row[1], row[2]) for row in rows}

    async def parked(self, stream: str) -> list[tuple[int, str]]:
        """Give the numbers and the ids of what waits in a stream."""
        return await self.bench.rows(
            "SELECT number, command_id FROM parked WHERE stream = CAST(:stream AS uuid) ORDER BY number", stream=stream
        )

    async def letter_of(self, stream: str) -> str:
        """Give the id of the command behind whose dead letter a stream waits."""
        rows = await self.bench.rows(
            "SELECT d.command_id FROM parked_streams s JOIN dead_letters d ON d.id = s.dead_letter_id"
            " WHERE s.stream = CAST(:stream AS uuid)",
            stream=stream,
        )
        return rows[0][0] if rows else "(not parked)"


def project(squad: str, command_id: str, *, name: str = "Project") -> FakeRecord:
    return record(making.create_project(squad, name=name), command_id=command_id)


APPLIED, PARKED, DEAD = ("applied", True), ("parked", False), ("dead-lettered", False)


async def execute(database: Database, *statements: str, **values) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement), values)


BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def until_blocked(bench: Bench) -> None:
    while await bench.rows(BLOCKED) == [(0,)]:  # noqa: ASYNC110 - a lock tells nobody
        await asyncio.sleep(0.005)


def settler(processor, readers: Readers, **options) -> Settler:
    return Settler(processor=processor, source=readers, backoff_seconds=0.01, backoff_most_seconds=0.05, **options)


class Failing:
    """Fails with scripted errors first, then lets the real processor work."""

    def __init__(self, processor, *errors: BaseException) -> None:
        self._processor = processor
        self._errors = [*errors]
        self.calls = 0

    async def apply(self, batch: Batch, culprit: Culprit | None = None) -> Counter[str]:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return await self._processor.apply(batch, culprit)
