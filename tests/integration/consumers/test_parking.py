"""Commands behind a dead letter wait in order, and nothing else does."""

import json
from collections import Counter

import pytest

from consumers.culprits import Policy
from consumers.parking import ParkingLimits
from consumers.records import Partition
from tests import making
from tests.applying import Bench
from tests.making import TOPIC, FakeRecord, new_id, record
from tests.poison import POISON
from tests.settling import APPLIED, DEAD, PARKED, Settling, execute, project

pytestmark = pytest.mark.usefixtures("poisonous")


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
