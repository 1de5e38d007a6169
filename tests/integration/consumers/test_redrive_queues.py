"""What waits in one stream or in several, behind one dead letter or two, and what fails there itself."""

from typing import Any

import pytest

from consumers import queues
from consumers.culprits import Policy
from consumers.letter_filter import LetterState
from consumers.letter_locks import WaitsError
from tests import making
from tests.applying import TOPICS, Bench
from tests.making import new_id, record
from tests.poison import POISON, poison
from tests.redriving import Redriving, park, two_queues
from tests.settling import APPLIED, DEAD, PARKED, project

pytestmark = pytest.mark.usefixtures("poisonous")


async def test_parked_record_that_fails_becomes_the_dead_letter_that_the_rest_waits_behind(redriving, poisonous):
    await park(redriving, last=2)
    await redriving.settle(project(redriving.mine, "3", name="Other"), *(project(redriving.mine, n) for n in "45"))
    poisonous.undo()
    poison(poisonous, name="Other")

    ending = await redriving.redrive("0")

    assert (ending.state, ending.became_letters) == (LetterState.REDRIVEN, [await redriving.letter("3")])
    assert await redriving.states() == {"0": ("redriven", 0), "3": ("open", 0)}
    assert await redriving.outcomes() == {**dict.fromkeys("012", APPLIED), "3": DEAD, **dict.fromkeys("45", PARKED)}
    assert await redriving.told("3") == [("parked", 1, False), ("dead-lettered", 2, False)]
    assert await redriving.letter_of(redriving.mine) == "3"
    published = await redriving.bench.rows(
        "SELECT count(*) FROM outbox WHERE topic = :topic", topic=TOPICS.dead_letters
    )
    assert published == [(2,)]
    poisonous.undo()
    await redriving.redrive("3")
    assert (await redriving.events(redriving.mine))[1:] == list("012345")
    assert await redriving.told("3") == [("parked", 1, False), ("dead-lettered", 2, False), ("applied", 3, True)]


async def test_parked_record_of_a_type_that_continues_holds_nobody_up(redriving, poisonous):
    await park(redriving, last=1)
    await redriving.settle(project(redriving.mine, "2", name="Other"), project(redriving.mine, "3"))
    poisonous.undo()
    poison(poisonous, name="Other")

    await redriving.redrive("0", policies={"squad.create-project.v1": Policy.CONTINUE})

    assert await redriving.states() == {"0": ("redriven", 0), "2": ("open", 0)}
    assert (await redriving.events(redriving.mine))[1:] == ["0", "1", "3"]
    assert await redriving.nothing_waits()


async def test_failing_record_among_many_is_found_and_the_others_are_applied_together(redriving, poisonous):
    await redriving.settle(project(redriving.mine, "0", name=POISON))
    await redriving.settle(
        *(project(redriving.mine, str(n), name="Other" if n in {7, 30} else "Project") for n in range(1, 40))
    )
    poisonous.undo()
    poison(poisonous, name="Other")

    ending = await redriving.redrive("0", policies={"squad.create-project.v1": Policy.CONTINUE})

    assert sorted(ending.became_letters) == sorted([await redriving.letter("7"), await redriving.letter("30")])
    assert (await redriving.events(redriving.mine))[1:] == [str(n) for n in range(40) if n not in {7, 30}]


@pytest.mark.parametrize("order", ["01", "10"])
async def test_command_in_two_queues_waits_for_both_letters(redriving, poisonous, order):
    user, squad = await two_queues(redriving)
    poisonous.undo()
    first, second = order

    ending = await redriving.redrive(first)

    assert (ending.state, ending.decided) == (LetterState.REDRIVEN, 1)
    assert await redriving.letter_of(user) == await redriving.letter_of(squad) == second
    assert (await redriving.outcomes())["2"] == PARKED
    await redriving.redrive(second, max_records=2)
    outcomes = await redriving.outcomes()
    assert outcomes == {**dict.fromkeys("0134", APPLIED), "2": ("rejected", True)}
    assert await redriving.events(user) == ["0", "3"]
    assert await redriving.events(squad) == ["1", "4"]
    assert await redriving.nothing_waits()


@pytest.mark.parametrize("user_comes_first", [True, False])
async def test_streams_of_a_letter_for_two_go_on_in_their_own_order(redriving, poisonous, user_comes_first):
    user, squad = sorted((new_id(), new_id()), reverse=not user_comes_first)
    culprit = making.onboard(user, "new@example.org", squad, squad_optional=False)
    object.__setattr__(culprit, "name", POISON)
    await redriving.settle(
        record(culprit, command_id="0"),
        *(record(making.rename_user(user, f"Name {number}"), command_id=str(number)) for number in (1, 2, 3)),
        *(project(squad, str(number)) for number in (4, 5)),
        record(making.rename_user(user, "Other"), command_id="6"),
        record(making.rename_user(user, "Grace"), command_id="7"),
        project(squad, "8"),
    )
    poisonous.undo()
    poison(poisonous, name="Other")

    ending = await redriving.redrive("0", max_records=3)

    assert ending.state is LetterState.REDRIVEN
    assert await redriving.events(user) == list("0123")
    assert await redriving.events(squad) == list("0458")
    assert await redriving.states() == {"0": ("redriven", 0), "6": ("open", 0)}
    assert await redriving.letter_of(user) == "6"
    assert await redriving.letter_of(squad) == "(not parked)"


async def test_stream_that_is_parked_while_a_redrive_begins_is_seen(redriving, poisonous, monkeypatch):
    """A record that was parked in two streams is not taken from one queue while it is left in the other."""
    user, squad = new_id(), new_id()
    await redriving.settle(
        record(making.register_user(user, name=POISON), command_id="0"),
        record(making.onboard(user, "new@example.org", squad, squad_optional=False), command_id="1"),
    )
    poisonous.undo()
    found, looks = queues.fetch_streams, iter([[user]])

    async def see_late(session: Any, letter_id: str) -> list[str]:
        return next(looks, None) or await found(session, letter_id)

    with monkeypatch.context() as patch:
        patch.setattr(queues, "fetch_streams", see_late)
        await redriving.redrive("0")

    assert await redriving.told("1") == [("parked", 1, False), ("rejected", 2, True)]
    assert await redriving.nothing_waits()


async def test_letter_whose_stream_waits_behind_another_one_waits_too(database, poisonous):
    redriving = Redriving(Bench(database))
    await redriving.begin()
    made = record(making.create_project(redriving.mine), command_id="1", extensions={"replyto": "shop.outcomes"})
    await redriving.settle(project(redriving.mine, "0", name=POISON), made)
    redriving.bench.processor = Bench(database, replies=["shop.outcomes"]).processor
    poisonous.undo()

    with pytest.raises(WaitsError, match="waits behind another one"):
        await redriving.redrive("1")
    assert await redriving.states() == {"0": ("open", 0), "1": ("open", 0)}
    await redriving.redrive("0")
    await redriving.redrive("1")
    assert (await redriving.events(redriving.mine))[1:] == ["0", "1"]


async def test_sweep_that_waited_sees_what_was_decided_before_it(redriving, poisonous):
    project_id = new_id()
    await redriving.settle(
        record(making.create_project(redriving.mine, project_id, name=POISON), command_id="0"),
        *(record(making.create_task(redriving.mine, project_id), command_id=str(number)) for number in (1, 2)),
        record(making.complete_project_tasks(redriving.mine, project_id), command_id="3"),
    )
    poisonous.undo()
    await redriving.redrive("0")

    [last] = [each["data"] for each in await redriving.bench.outbox() if each["causation_id"] == "3"]
    assert last["count"] == 2
