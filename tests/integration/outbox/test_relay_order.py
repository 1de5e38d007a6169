"""The relay beside writers that were made to break it, and the cursor that they do break."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from db.database import Database
from outbox.wire import Record
from tests.pausing_writers import Writers, relay_beside
from tests.relaying import DisturbedError, RecordingPublisher, judge, leading_relay


@pytest.mark.parametrize("page_rows", [1, 3, 40, 2000])
async def test_relay_loses_repeats_and_reorders_nothing(database: Database, page_rows: int) -> None:
    chance = random.Random(page_rows)

    async def break_now_and_then(_: Sequence[Record]) -> None:
        if chance.random() < 0.1:
            raise DisturbedError

    publisher = RecordingPublisher(before=break_now_and_then)
    async with leading_relay(database, publisher, page_rows=page_rows) as relay:
        await relay_beside(Writers(database=database, publisher=publisher, seed=page_rows), relay.relay_batch)

    verdict = await judge(database, publisher.records)
    assert verdict.committed > 300
    assert (verdict.lost, verdict.repeated, verdict.disordered) == (set(), 0, [])


async def test_relay_that_dies_before_its_cursor_repeats_but_keeps_the_order(database: Database) -> None:
    chance = random.Random(7)

    async def die_now_and_then(_: Sequence[Record]) -> None:
        if chance.random() < 0.3:
            raise DisturbedError

    publisher = RecordingPublisher(after=die_now_and_then)
    async with leading_relay(database, publisher, page_rows=40) as relay:
        await relay_beside(Writers(database=database, publisher=publisher, seed=7), relay.relay_batch)

    verdict = await judge(database, publisher.records)
    assert verdict.repeated > 0
    assert (verdict.lost, verdict.disordered) == (set(), [])


@dataclass(slots=True)
class LastPositionRelay:
    """The cursor that everyone writes first: `position > last`."""

    database: Database
    publisher: RecordingPublisher
    last: int = 0

    async def relay_batch(self) -> int:
        query = text("SELECT position, topic, key, body FROM outbox WHERE position > :last ORDER BY position LIMIT 40")
        async with self.database.sessions() as session:
            rows = (await session.execute(query, {"last": self.last})).all()
        await self.publisher.publish([Record(row.position, row.topic, row.key, row.body, row) for row in rows])
        self.last = rows[-1].position if rows else self.last
        return len(rows)


async def test_these_writers_break_a_cursor_of_positions(database: Database) -> None:
    publisher = RecordingPublisher()
    wrong: Callable[[], Awaitable[int]] = LastPositionRelay(database, publisher).relay_batch

    await relay_beside(Writers(database=database, publisher=publisher, seed=1), wrong)

    assert (await judge(database, publisher.records)).lost
