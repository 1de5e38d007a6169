"""Commands behind a dead letter wait in order, and nothing else does."""

import asyncio
import json
from collections import Counter

import pytest
import pytest_asyncio
from sqlalchemy import text

from consumers import processor
from consumers.culprits import Policy
from consumers.failures import Settler
from consumers.parking import ParkingLimits
from consumers.records import Batch, Partition
from db.database import Database
from db.load import load_state
from tests import making
from tests.applying import Bench
from tests.making import TOPIC, FakeRecord, new_id, record
from tests.poison import POISON, poison


class Readers:
    """Stands for the source: notes what it is told."""

    def __init__(self) -> None:
        self.stopped: dict[Partition, str] = {}

    def is_current(self, batch: Batch) -> bool:
        return True

    def read_again(self, batch: Batch) -> None:
        raise AssertionError("nobody else is there")

    def stop_partition(self, partition: Partition, why: str, next_offset: int) -> None:
        self.stopped[partition] = why


class Settling:
    """A bench whose batches are settled, and two owners, each with a squad."""

    def __init__(self, bench: Bench, **options) -> None:
        self.bench, self.readers = bench, Readers()
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


@pytest.fixture(autouse=True)
def poisonous(monkeypatch) -> None:
    poison(monkeypatch)


@pytest_asyncio.fixture
async def settling(bench) -> Settling:
    made = Settling(bench)
    await made.begin()
    return made


APPLIED, PARKED, DEAD = ("applied", True), ("parked", False), ("dead-lettered", False)


async def test_commands_behind_a_dead_letter_wait_in_order_and_other_streams_go_on(settling):
    await settling.settle(
        project(settling.mine, "0"),
        project(settling.mine, "1", name=POISON),
        project(settling.other, "2"),
        project(settling.mine, "3"),
        project(settling.other, "4"),
        project(settling.mine, "5"),
    )
    await settling.settle(project(settling.mine, "6"), project(settling.other, "7"))

    assert await settling.outcomes() == {
        **dict.fromkeys("0247", APPLIED),
        "1": DEAD,
        **dict.fromkeys("356", PARKED),
    }
    assert await settling.parked(settling.mine) == [(1, "3"), (2, "5"), (3, "6")]
    assert await settling.letter_of(settling.mine) == "1"
    assert await settling.letter_of(settling.other) == "(not parked)"
    told = Counter((each["outcome"], each["final"], each["revision"]) for each in await settling.bench.outcomes())
    assert told == {("applied", True, 1): 8, ("dead-lettered", False, 1): 1, ("parked", False, 1): 3}


async def test_parked_record_is_kept_as_it_came(settling):
    waiting = project(settling.mine, "1")
    await settling.settle(project(settling.mine, "0", name=POISON), waiting)

    [(key, value, names, values, topic, partition, offset, source, type_name, time)] = await settling.bench.rows(
        "SELECT key, value, header_names, header_values, topic, partition, record_offset, source, type, timestamp"
        " FROM parked"
    )

    assert (key, value, list(zip(names, values, strict=True))) == (waiting.key, waiting.value, waiting.headers)
    assert (topic, partition, offset) == (TOPIC, 0, waiting.offset)
    assert (source, type_name, time) == (making.SOURCE, "squad.create-project.v1", making.NOON)


async def test_stream_stays_parked_for_other_consumers_and_in_other_partitions(settling, database):
    """As after a restart, and after partitions were added to the topic."""
    await settling.settle(project(settling.mine, "0", name=POISON))
    another = Settling(Bench(database))
    another.mine = settling.mine

    await another.settle(project(settling.mine, "1"), project(settling.other, "2"), partition=3)
    await settling.settle(project(settling.mine, "3"))

    assert await settling.outcomes() == {"0": DEAD, "1": PARKED, "2": APPLIED, "3": PARKED}
    assert await settling.parked(settling.mine) == [(1, "1"), (2, "3")]


async def test_stream_whose_root_the_dead_letter_was_to_make_is_parked_too(settling):
    squad = new_id()

    await settling.settle(
        record(making.create_squad(settling.ada, squad, name=POISON), command_id="0"), project(squad, "1")
    )

    assert await settling.outcomes() == {"0": DEAD, "1": PARKED}


async def test_command_for_two_streams_is_parked_in_both_and_parks_both(settling):
    """Else a later command for its other stream would overtake it."""
    user, squad = new_id(), new_id()
    await settling.settle(record(making.register_user(user, name=POISON), command_id="0"))

    await settling.settle(
        record(making.onboard(user, "new@example.org", squad, squad_optional=False), command_id="1"),
        project(squad, "2"),
        project(settling.mine, "3"),
    )

    assert await settling.outcomes() == {"0": DEAD, "1": PARKED, "2": PARKED, "3": APPLIED}
    assert await settling.parked(user) == [(1, "1")]
    assert await settling.parked(squad) == [(1, "1"), (2, "2")]
    assert await settling.letter_of(squad) == "0"


async def test_culprit_for_two_streams_parks_both(settling):
    user, squad = new_id(), new_id()
    culprit = making.onboard(user, "new@example.org", squad, squad_optional=False)
    object.__setattr__(culprit, "name", POISON)

    await settling.settle(record(culprit, command_id="0"))
    await settling.settle(record(making.register_user(user), command_id="1"), project(squad, "2"))

    assert await settling.outcomes() == {"0": DEAD, "1": PARKED, "2": PARKED}
    assert {await settling.letter_of(user), await settling.letter_of(squad)} == {"0"}


async def test_command_behind_two_dead_letters_waits_behind_both(settling):
    user, squad = new_id(), new_id()
    await settling.settle(
        record(making.register_user(user, name=POISON), command_id="0"),
        record(making.create_squad(settling.ada, squad, name=POISON), command_id="1"),
        record(making.onboard(user, "new@example.org", squad, squad_optional=False), command_id="2"),
    )

    assert await settling.outcomes() == {"0": DEAD, "1": DEAD, "2": PARKED}
    assert (await settling.letter_of(user), await settling.letter_of(squad)) == ("0", "1")
    assert await settling.parked(user) == await settling.parked(squad) == [(1, "2")]


async def test_command_that_only_looks_at_a_parked_stream_goes_on(settling):
    await settling.settle(project(settling.mine, "0", name=POISON))
    await settling.settle(record(making.create_squad(settling.ada), command_id="1"))

    assert await settling.outcomes() == {"0": DEAD, "1": APPLIED}


async def test_parked_command_that_comes_again_is_answered_again_and_waits_once(settling):
    again = project(settling.mine, "1")
    await settling.settle(project(settling.mine, "0", name=POISON), again, project(settling.mine, "2"))
    copies = [FakeRecord(key=again.key, value=again.value, headers=again.headers) for _ in range(2)]

    await settling.settle(*copies)

    assert await settling.parked(settling.mine) == [(1, "1"), (2, "2")]
    bodies = {row["body"] for row in await settling.bench.outbox("squad.outcomes") if row["causation_id"] == "1"}
    assert [json.loads(body)["outcome"] for body in bodies] == ["parked"]
    assert sum(each["id"] == "1" for each in await settling.bench.outcomes()) == 3


async def test_culprit_that_comes_again_is_answered_again_and_tried_no_more(settling, monkeypatch):
    culprit = project(settling.mine, "0", name=POISON)
    await settling.settle(culprit)
    monkeypatch.undo()

    await settling.settle(FakeRecord(key=culprit.key, value=culprit.value, headers=culprit.headers))

    assert await settling.outcomes() == {"0": DEAD}
    assert await settling.bench.rows("SELECT count(*) FROM dead_letters") == [(1,)]


async def test_unreadable_record_in_a_parked_stream_is_a_dead_letter_of_its_own(settling):
    await settling.settle(project(settling.mine, "0", name=POISON))
    unfit = project(settling.mine, "1")
    unfit.value = b"{}"

    await settling.settle(unfit, project(settling.mine, "2"))

    assert await settling.outcomes() == {"0": DEAD, "1": DEAD, "2": PARKED}
    assert await settling.letter_of(settling.mine) == "0"


async def test_type_that_continues_parks_nothing(bench):
    settling = Settling(bench, policies={"squad.create-project.v1": Policy.CONTINUE})
    await settling.begin()

    await settling.settle(project(settling.mine, "0", name=POISON), project(settling.mine, "1"))

    assert await settling.outcomes() == {"0": DEAD, "1": APPLIED}
    assert await bench.rows("SELECT count(*) FROM parked_streams") == [(0,)]


async def test_numbers_go_on_behind_what_was_taken_from_the_front(settling):
    await settling.settle(*(project(settling.mine, str(n), name=POISON if n == 0 else "Project") for n in range(4)))
    await execute(settling.bench.database, "DELETE FROM parked WHERE number < 3")

    await settling.settle(project(settling.mine, "4"))

    assert await settling.parked(settling.mine) == [(3, "3"), (4, "4")]


@pytest.mark.parametrize(
    ("limits", "setting"),
    [
        (ParkingLimits(of_stream=3, in_all=100), "SQUAD_PARKED_STREAM_MAX_COMMANDS"),
        (ParkingLimits(of_stream=100, in_all=3), "SQUAD_PARKED_MAX_COMMANDS"),
    ],
)
async def test_partition_stops_in_front_of_what_may_not_wait_any_more(settling, limits, setting):
    """What stands before it is done, in this batch and in the ones before."""
    settling.bench.processor._parking = limits
    await settling.settle(project(settling.mine, "0", name=POISON), project(settling.mine, "1"))

    await settling.settle(*(project(settling.mine, str(n)) for n in range(2, 8)), project(settling.other, "8"))

    assert await settling.outcomes() == {"0": DEAD, **dict.fromkeys("123", PARKED)}
    why = settling.readers.stopped[Partition(TOPIC, 0)]
    assert "offset 8 (type squad.create-project.v1, id 4) is not applied: 3 records" in why
    assert f"({setting})" in why
    assert await settling.bench.rows("SELECT next_offset FROM checkpoints") == [(8,)]


async def execute(database: Database, *statements: str, **values) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement), values)


LETTER = (
    "INSERT INTO dead_letters (id, topic, partition, record_offset, timestamp, header_names, header_values, reason,"
    " detail) VALUES (gen_random_uuid(), 'elsewhere', 0, 0, now(), '{}', '{}', 'unexpected', '')"
)
PARK = "INSERT INTO parked_streams SELECT CAST(:stream AS uuid), id, now() FROM dead_letters"


ADD_SQUAD = (
    "INSERT INTO squads (id, user_id, name, status, created_at, version)"
    " VALUES (CAST(:squad AS uuid), CAST(:user AS uuid), 'Squad', 'active', now(), 1)"
)


async def until_blocked(bench: Bench) -> None:
    while await bench.rows("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(0,)]:  # noqa: ASYNC110 - a lock tells nobody
        await asyncio.sleep(0.005)


async def test_stream_that_is_parked_while_its_root_is_waited_for_is_seen(settling, database):
    """The look at what is parked comes after the lock, so it sees what was committed while that was waited for."""
    async with database.transaction() as session:
        await session.execute(
            text("SELECT 1 FROM squads WHERE id = CAST(:stream AS uuid) FOR UPDATE"), {"stream": settling.mine}
        )
        await session.execute(text(LETTER))
        await session.execute(text(PARK), {"stream": settling.mine})
        waiting = asyncio.create_task(settling.settle(project(settling.mine, "1")))
        await until_blocked(settling.bench)
    await waiting

    assert await settling.outcomes() == {"1": PARKED}


@pytest.mark.parametrize("is_parked_still", [False, True])
async def test_root_that_a_redrive_makes_while_a_command_waits_is_seen(settling, database, is_parked_still):
    """There was no root to lock: what was loaded is from before the redrive, and is to be loaded again."""
    squad = new_id()
    await execute(database, LETTER)
    await execute(database, PARK, stream=squad)
    async with database.transaction() as session:
        await session.execute(text("SELECT 1 FROM parked_streams FOR UPDATE"))
        waiting = asyncio.create_task(settling.settle(project(squad, "1")))
        await until_blocked(settling.bench)
        await session.execute(text(ADD_SQUAD), {"squad": squad, "user": settling.ada})
        if not is_parked_still:
            await session.execute(text("DELETE FROM parked_streams"))
    await waiting

    assert await settling.outcomes() == {"1": PARKED if is_parked_still else APPLIED}


async def test_redrive_between_loading_and_looking_at_what_is_parked_is_seen(settling, database, monkeypatch):
    """Nothing is parked any more then; that it was before tells that what was loaded is old."""
    squad = new_id()
    await execute(database, LETTER)
    await execute(database, PARK, stream=squad)
    redriven: list[str] = []

    async def load_and_be_overtaken(session, reads):
        state = await load_state(session, reads)
        if not redriven:
            redriven.append(squad)
            await execute(database, ADD_SQUAD, squad=squad, user=settling.ada)
            await execute(database, "DELETE FROM parked_streams")
        return state

    monkeypatch.setattr(processor, "load_state", load_and_be_overtaken)
    await settling.settle(project(squad, "1"))

    assert await settling.outcomes() == {"1": APPLIED}


async def test_two_consumers_that_park_one_stream_at_once_park_it_behind_one_letter(bench, database):
    """Neither sees the other's row, and there is no root: the slower one looks again, and waits behind the other."""
    squad = new_id()
    settlings = [Settling(Bench(database)) for _ in range(4)]

    await asyncio.gather(
        *(
            each.settle(
                record(making.create_squad(new_id(), squad, name=POISON), command_id=str(number)), partition=number
            )
            for number, each in enumerate(settlings)
        )
    )

    outcomes = Counter((await settlings[0].outcomes()).values())
    assert outcomes == {DEAD: 1, PARKED: 3}
    assert not any(each.readers.stopped for each in settlings)
