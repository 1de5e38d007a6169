"""A record that the database or our own code cannot bear, anywhere in a batch: found, and nothing else is harmed."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

import pytest
import pytest_asyncio
from sqlalchemy import text

from consumers.culprits import Policy
from consumers.failures import Settler
from consumers.records import Batch, Partition
from db.database import Database
from db.models import Base
from domain.commands import RegisterUser
from domain.handlers import registration
from domain.tables import RULES, Rule
from tests import making
from tests.applying import Bench
from tests.good_commands import good_commands
from tests.ground import GROUND, numbered
from tests.making import TOPIC, FakeRecord, record
from tests.rehearsal import rehearsing
from tests.sources import NobodyElse
from tests.traces import Trace, trace

SIZE = 200
POISON = "Poison"
CULPRIT: Final = making.register_user(numbered(700), "seven@example.org", POISON)


class Stopping(NobodyElse):
    """A partition that is stopped gives nothing more."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped_then: dict[Partition, str] = {}

    def is_current(self, batch: Batch) -> bool:
        return not self.stopped.keys() & batch.begins.keys()


def fail(state, command, given) -> None:
    raise ZeroDivisionError("a fault of ours")


def fail_after_changing(state, command, given) -> None:
    """What a handler must not do, and what a fault may do all the same."""
    state.users[GROUND.ada].name = "Changed"
    registration.register_user(state, command, given)
    raise KeyError("a fault of ours")


def too_large_for_its_column(state, command, given):
    events = registration.register_user(state, command, given)
    state.users[command.user_id].version = 2**63
    return events


def event_of_nobody(state, command, given):
    registration.register_user(state, command, given)
    return [object()]


def event_that_cannot_be_encoded(state, command, given):
    [event] = registration.register_user(state, command, given)
    object.__setattr__(event, "plan_tier", b"\xff")
    return [event]


def row_that_is_gone(state, command, given):
    events = registration.register_user(state, command, given)
    state.users[command.user_id].loaded = ()
    return events


FAULTS_OF_CODE: Final[dict[str, Callable[..., Any]]] = {
    "a handler fails": fail,
    "a handler fails when it has changed something": fail_after_changing,
    "a value that the driver cannot send": too_large_for_its_column,
    "an event of no type": event_of_nobody,
    "an event that cannot be encoded": event_that_cannot_be_encoded,
    "a row that is not there any more": row_that_is_gone,
}

FAULTS_OF_ROWS: Final[dict[str, str]] = {
    "a check": f"ALTER TABLE users ADD CONSTRAINT ck_trial CHECK (name <> '{POISON}')",
    "a unique index, whoever decides again": f"CREATE UNIQUE INDEX ck_trial ON users ((1)) WHERE name = '{POISON}'",
    "an error of a trigger": "CREATE TRIGGER ck_trial BEFORE INSERT ON users FOR EACH ROW"
    f" WHEN (NEW.name = '{POISON}') EXECUTE FUNCTION refuse()",
    "an error at COMMIT": "CREATE CONSTRAINT TRIGGER ck_trial AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED"
    f" FOR EACH ROW WHEN (NEW.name = '{POISON}') EXECUTE FUNCTION refuse()",
    "a clash at COMMIT": "CREATE CONSTRAINT TRIGGER ck_trial AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED"
    f" FOR EACH ROW WHEN (NEW.name = '{POISON}') EXECUTE FUNCTION clash()",
}

FAULTS: Final = (*FAULTS_OF_CODE, *FAULTS_OF_ROWS)

FUNCTION: Final = "CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'of a test'{}; END $$"
FUNCTIONS: Final = (
    FUNCTION.format("refuse", ""),
    FUNCTION.format("clash", " USING ERRCODE = 'unique_violation'"),
)
MEND: Final = (
    "DROP INDEX IF EXISTS ck_trial",
    "DROP TRIGGER IF EXISTS ck_trial ON users",
    "ALTER TABLE users DROP CONSTRAINT IF EXISTS ck_trial",
    f"DELETE FROM users WHERE name = '{POISON}'",
)


@contextmanager
def faulty_code(fault: str) -> Iterator[None]:
    """Registering a user of that name fails in this way."""

    def decide(state, command, given):
        return (FAULTS_OF_CODE[fault] if command.name == POISON else registration.register_user)(state, command, given)

    with pytest.MonkeyPatch.context() as patched:
        if fault in FAULTS_OF_CODE:
            patched.setitem(RULES, RegisterUser, Rule(registration.read_for_register_user, decide))
        yield


async def execute(database: Database, *statements: str) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement))


def with_culprit(place: int) -> list[FakeRecord]:
    records = [record(command, command_id=str(number)) for number, command in enumerate(good())]
    return [*records[:place], record(CULPRIT, command_id="culprit"), *records[place:]]


def good():
    return islice(good_commands(), SIZE - 1)


async def assert_only_the_culprit_is_left(
    database: Database, fault: str, place: int, expected: Trace, end: Trace
) -> None:
    """What stands before it is applied, and it is stopped at; then it is a dead letter, and what follows is applied."""
    bench, readers = Bench(database), Stopping()
    settler, stopping = (
        Settler(
            processor=bench.processor,
            source=readers,
            backoff_seconds=0.01,
            backoff_most_seconds=0.05,
            attempts=2,
            policies=policies,
        )
        for policies in ({}, {"user.register.v1": Policy.STOP})
    )
    partition, records = Partition(TOPIC, 0), with_culprit(place)
    if fault in FAULTS_OF_ROWS:
        await execute(database, FAULTS_OF_ROWS[fault])
    if "index" in fault:
        await execute(
            database,
            f"INSERT INTO users (id, name, created_at, version) VALUES ('{numbered(9)}', '{POISON}', now(), 1)",
        )
    batch = await bench.batch(records)
    with faulty_code(fault):
        assert await stopping.settle(batch) == {partition}
        before = await trace(bench)
        readers.stopped_then, readers.stopped = readers.stopped, {}
        assert not await settler.settle(Batch(batch.records[place:], {partition: place}, 1))
    assert f"offset {place} (type user.register.v1, id culprit) cannot be applied" in readers.stopped_then[partition]
    await execute(database, *MEND)
    if "index" in fault:
        before.state["users"] = [row for row in before.state["users"] if POISON not in row]
    assert before == expected
    after = await trace(bench)
    assert (after.state, after.checkpoints[0]) == (end.state, SIZE)
    assert await bench.rows(
        "SELECT outcome, count(*), min(command_id) FILTER (WHERE outcome <> 'applied') FROM inbox WHERE partition = 0"
        " GROUP BY outcome ORDER BY outcome"
    ) == [("applied", SIZE - 1, None), ("dead-lettered", 1, "culprit")]
    assert await bench.rows("SELECT command_id, reason, attempts FROM dead_letters") == [("culprit", "unexpected", 2)]
    assert await bench.rows("SELECT stream::text FROM parked_streams") == [(numbered(700),)]


@pytest_asyncio.fixture
async def ground(database: Database) -> Database:
    await GROUND.lay(Bench(database))
    await execute(database, *FUNCTIONS)
    return database


@pytest_asyncio.fixture(scope="module")
async def laid_once(module_database_url: str) -> AsyncIterator[Database]:
    database = Database(url=module_database_url)
    await GROUND.lay(Bench(database))
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="module")
async def left_one_by_one(laid_once: Database) -> Mapping[int, Trace]:
    """What is there before some of the places, where commands were applied one by one, and behind the last."""
    return await apply_one_by_one(laid_once, PLACES)


@pytest_asyncio.fixture(scope="module")
async def left_at_each_place(laid_once: Database) -> Mapping[int, Trace]:
    """The same of all places."""
    return await apply_one_by_one(laid_once, range(SIZE))


async def apply_one_by_one(laid: Database, places: Collection[int]) -> Mapping[int, Trace]:
    found: dict[int, Trace] = {}
    async with rehearsing(laid) as rehearsal:
        bench = Bench(rehearsal)
        await bench.batch([])
        for place, each in enumerate(with_culprit(SIZE)):
            if place in places:
                found[place] = await trace(bench)
            if place == SIZE - 1:
                found[SIZE] = await trace(bench)
            if place < SIZE - 1:
                await bench.apply(each)
    return found


KEPT: Final = ("inbox_floor", "leases", "relay_cursors")
"""Tables that have rows from the beginning."""


async def start_over(database: Database) -> None:
    """Have nothing but the ground again: that is sooner done than another database is made."""
    tables = [table.name for table in reversed(Base.metadata.sorted_tables) if table.name not in KEPT]
    await execute(database, *(f"DELETE FROM {table}" for table in tables))
    await GROUND.lay(Bench(database))


PLACES: Final = (0, SIZE - 1, 1, 99, 100, SIZE - 2, 63, 64, 127, 128, 150)


@pytest.mark.parametrize(("fault", "place"), [*zip(FAULTS, PLACES, strict=True)])
async def test_culprit_in_a_batch_of_200_leaves_what_comes_before_it_one_by_one(ground, left_one_by_one, fault, place):
    await assert_only_the_culprit_is_left(ground, fault, place, left_one_by_one[place], left_one_by_one[SIZE])


@pytest.mark.long_faults
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_every_culprit_at_many_places_of_a_batch_of_200(ground, left_one_by_one, fault, place):
    await assert_only_the_culprit_is_left(ground, fault, place, left_one_by_one[place], left_one_by_one[SIZE])


@pytest.mark.long_faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("quarter", range(4))
async def test_culprit_at_each_place_of_a_batch_of_200(ground, left_at_each_place, quarter):
    """Each place has one of the faults, by turns; a test for each quarter of the batch."""
    for place in range(SIZE * quarter // 4, SIZE * (quarter + 1) // 4):
        await start_over(ground)
        fault = FAULTS[place % len(FAULTS)]
        expected, end = left_at_each_place[place], left_at_each_place[SIZE]
        await assert_only_the_culprit_is_left(ground, fault, place, expected, end)
