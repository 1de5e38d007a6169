"""A flood of dead letters stops its partition in front of the first one over the limit; what is good goes on."""

import asyncio
import logging

import pytest
from sqlalchemy import text

from consumers.breaker import Breaker, BreakerLimits
from consumers.records import Batch, Partition
from db.database import Database
from tests import making
from tests.applying import Bench
from tests.making import TOPIC, FakeRecord, new_id, record
from tests.poison import POISON, poison
from tests.relaying import Noted
from tests.settling import Settling

P0, P1 = Partition(TOPIC, 0), Partition(TOPIC, 1)


def build(database: Database, *, in_a_row: int = 3, overall: int = 0) -> tuple[Settling, Breaker]:
    limits = BreakerLimits(in_a_row=in_a_row, share=0)
    breaker = Breaker(limits=limits, overall=BreakerLimits(in_a_row=overall, share=0))
    return Settling(Bench(database, breaker=breaker)), breaker


def good(count: int) -> list[FakeRecord]:
    return [record(making.register_user()) for _ in range(count)]


def bad(count: int) -> list[FakeRecord]:
    return [FakeRecord(key=new_id().encode(), value=b"{") for _ in range(count)]


def culprits(count: int) -> list[FakeRecord]:
    """Each of a stream of its own."""
    return [record(making.register_user(name=POISON)) for _ in range(count)]


async def counts(bench: Bench) -> tuple[int, int, dict[int, int]]:
    """Give how many users there are, and dead letters, and the checkpoints."""
    [(users, letters)] = await bench.rows("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM dead_letters)")
    return users, letters, dict(await bench.rows("SELECT partition, next_offset FROM checkpoints ORDER BY partition"))


async def test_nothing_over_the_limit_becomes_a_dead_letter(database: Database) -> None:
    settling, breaker = build(database)

    await settling.settle(*bad(2), *good(3), *bad(3), *good(2), *bad(3), *bad(4), *good(5))

    assert await counts(settling.bench) == (5, 8, {0: 13})
    assert settling.readers.stopped == {
        P0: "the record at offset 13 (type unknown, id unknown) is not applied: the breaker is open: the last 3 records"
        " in a row became dead letters; `squad breaker reset` or a restart lets it go on"
    }
    assert breaker.describe()["in_a_row"] == {str(P0): 3}


async def test_other_partitions_of_the_same_batch_go_on(database: Database) -> None:
    settling, _ = build(database)
    first = await settling.bench.batch([*good(1), *bad(5), *good(1)], partition=0)
    second = await settling.bench.batch([*good(2), *bad(2), *good(3)], partition=1)
    mixed = [each for pair in zip(first.records, second.records, strict=True) for each in pair]

    await settling.settler.settle(Batch(mixed, {P0: 0, P1: 0}, 1))

    assert await counts(settling.bench) == (6, 5, {0: 4, 1: 7})
    assert set(settling.readers.stopped) == {P0}


async def test_records_that_fail_count_as_well_and_what_is_parked_behind_them_says_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch)
    settling, _ = build(database)
    [first, second, third, fourth] = culprits(4)
    behind = record(making.register_user((first.key or b"").decode()))

    await settling.settle(*good(2), first, behind, second, third, fourth, *good(1))

    assert await counts(settling.bench) == (2, 3, {0: 6})
    why = settling.readers.stopped[P0]
    assert why.startswith("the record at offset 6 (type user.register.v1, id ")
    assert "cannot be applied: ZeroDivisionError; the breaker is open: the last 3 records in a row" in why
    assert await settling.bench.rows("SELECT count(*) FROM parked") == [(1,)]


async def test_limit_of_all_partitions_stops_each_at_its_next_dead_letter(database: Database) -> None:
    settling, breaker = build(database, in_a_row=0, overall=4)

    await settling.settle(*bad(3), partition=0)
    await settling.settle(*bad(3), partition=1)
    await settling.settle(*good(2), *bad(1), partition=0)

    assert await counts(settling.bench) == (2, 4, {0: 5, 1: 1})
    assert set(settling.readers.stopped) == {P0, P1}
    assert breaker.open_overall == "the last 4 records in a row became dead letters"
    assert "in all partitions of this process together" in settling.readers.stopped[P0]


async def test_missing_column_is_waited_for_and_counts_for_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    settling, breaker = build(database)
    waits = Noted("half-deployed failure")
    monkeypatch.setattr(logging.getLogger("squad.consumer"), "handlers", [waits])
    await execute(database, "ALTER TABLE users RENAME COLUMN email_verified TO gone")

    settled = asyncio.ensure_future(settling.settle(*bad(2), *good(5), *bad(3)))
    async with asyncio.timeout(30):
        await waits.event.wait()
        assert breaker.describe() == {"open": {}, "overall": None, "in_a_row": {}}
        assert await settling.bench.rows("SELECT count(*) FROM dead_letters") == [(0,)]
        await execute(database, "ALTER TABLE users RENAME COLUMN gone TO email_verified")
        await settled

    assert await counts(settling.bench) == (5, 5, {0: 10})
    assert settling.readers.stopped == {}


async def test_transient_failures_count_a_batch_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    settling, breaker = build(database)
    apply, failures = settling.bench.processor._write, iter([True, True, True])

    async def fail(*given: object) -> None:
        await apply(*given)  # type: ignore[arg-type] # as it was given
        if next(failures, False):
            raise ConnectionError

    monkeypatch.setattr(settling.bench.processor, "_write", fail)
    await settling.settle(*bad(2))

    assert breaker.describe()["in_a_row"] == {str(P0): 2}
    assert settling.readers.stopped == {}


async def execute(database: Database, statement: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(statement))
