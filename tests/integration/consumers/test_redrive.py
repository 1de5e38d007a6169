"""Dead letters and what waits behind them are applied in order, once, whatever comes between."""

import asyncio
import json

import pytest
from sqlalchemy import text

from checker.judge import Result
from consumers.culprits import Policy
from consumers.letter_filter import LetterState
from consumers.letter_locks import Act, SettledError, TakenError, UnfitError, claimed
from consumers.redrive import Ending
from consumers.redrive_orders import Attempt, Order
from tests.applying import TOPICS
from tests.judging import judge_run
from tests.making import FakeRecord
from tests.poison import POISON, poison
from tests.redriving import DISCARD, GIVEN_UP, REDRIVE, park, two_queues
from tests.relaying import RecordingPublisher, leading_relay
from tests.settling import APPLIED, DEAD, PARKED, project

pytestmark = pytest.mark.usefixtures("poisonous")


async def test_dead_letter_and_all_that_waits_behind_it_are_applied_in_order(redriving, poisonous):
    await park(redriving)
    poisonous.undo()

    ending = await redriving.redrive("0")

    assert (ending.state, ending.decided, ending.left, ending.failed) == (LetterState.REDRIVEN, 6, 0, None)
    assert (await redriving.events(redriving.mine))[1:] == list("012345")
    assert await redriving.outcomes() == dict.fromkeys("012345", APPLIED)
    assert await redriving.told("0") == [("dead-lettered", 1, False), ("applied", 2, True)]
    assert await redriving.told("3") == [("parked", 1, False), ("applied", 2, True)]
    assert await redriving.states() == {"0": ("redriven", 0)}
    assert await redriving.nothing_waits()
    await redriving.settle(project(redriving.mine, "6"))
    assert await redriving.outcomes() == dict.fromkeys("0123456", APPLIED)


async def test_revisions_have_ids_of_their_own_and_repeats_are_the_last_one_byte_for_byte(redriving, poisonous):
    await park(redriving, last=1)
    poisonous.undo()
    await redriving.redrive("0")
    rows = await redriving.bench.rows(
        "SELECT value, key, header_names, header_values FROM dead_letters WHERE command_id = '0'"
    )
    [(value, key, names, values)] = rows

    await redriving.settle(FakeRecord(key=key, value=value, headers=list(zip(names, values, strict=True))))

    told = [each for each in await redriving.bench.outbox(TOPICS.outcomes) if each["causation_id"] == "0"]
    assert len({each["id"] for each in told[:2]}) == 2
    assert [(each["id"], each["body"]) for each in told[1:]] == [(told[1]["id"], told[1]["body"])] * 2
    assert (await redriving.events(redriving.mine)).count("0") == 1


async def test_kill_between_two_transactions_is_made_up_for_by_doing_it_again(redriving, poisonous):
    """What is parked meanwhile waits its turn, and what was done is not done again."""
    await park(redriving)
    poisonous.undo()
    letter, redriver = await redriving.letter("0"), redriving.redriver(max_records=2)
    async with redriving.bench.database.transaction() as session:
        await redriver._step.take(session, letter, REDRIVE, Attempt(most=2))

    assert await redriving.states() == {"0": ("redriving", 0)}
    await redriving.settle(project(redriving.mine, "6"))
    assert (await redriving.events(redriving.mine))[1:] == ["0", "1"]
    assert (await redriving.outcomes())["6"] == PARKED
    with pytest.raises(UnfitError, match="is decided already"):
        await redriving.redrive("0", DISCARD)
    assert (await redriver.settle(letter, REDRIVE)).decided == 5

    assert (await redriving.events(redriving.mine))[1:] == list("0123456")
    assert await redriving.states() == {"0": ("redriven", 0)}
    assert await redriving.nothing_waits()


@pytest.mark.parametrize("most", [1, 2, 3, 100])
async def test_progress_is_told_after_each_transaction(redriving, poisonous, most):
    await park(redriving)
    poisonous.undo()
    left: list[int] = []

    await redriving.redriver(max_records=most).settle(
        await redriving.letter("0"), REDRIVE, lambda ending: left.append(ending.left)
    )

    assert left == {1: [5, 4, 3, 2, 1, 0], 2: [4, 2, 0], 3: [3, 0], 100: [0]}[most]
    assert (await redriving.events(redriving.mine))[1:] == list("012345")


async def test_second_operator_is_told_that_another_one_is_at_it(redriving, poisonous, database):
    await park(redriving)
    poisonous.undo()
    letter = await redriving.letter("0")

    async with claimed(database, letter):
        with pytest.raises(TakenError, match="another operator is at dead letter"):
            await redriving.redrive("0")
    async with database.transaction() as session:
        await session.execute(text("SELECT 1 FROM dead_letters FOR UPDATE"))
        with pytest.raises(TakenError, match="another operator is at dead letter"):
            await redriving.redrive("0")
    assert await redriving.states() == {"0": ("open", 0)}

    endings = await asyncio.gather(*(redriving.redrive("0", max_records=1) for _ in range(4)), return_exceptions=True)
    assert [type(each) for each in endings].count(Ending) == 1
    assert all(isinstance(each, Ending | TakenError | SettledError) for each in endings)
    assert (await redriving.events(redriving.mine))[1:] == list("012345")


async def test_letter_that_fails_again_stays_open_and_its_stream_waits(redriving):
    await park(redriving)

    ending = await redriving.redrive("0")

    assert "ZeroDivisionError" in (ending.failed or "")
    assert await redriving.states() == {"0": ("open", 1)}
    assert await redriving.outcomes() == {"0": DEAD, **dict.fromkeys("12345", PARKED)}
    assert await redriving.told("0") == [("dead-lettered", 1, False)], "nothing is new to its producer"
    [(before, after)] = await redriving.bench.rows("SELECT before, after FROM audit")
    assert (before["replay_count"], after["replay_count"], after["state"]) == (0, 1, "open")


async def test_letter_that_was_redriven_in_vain_too_often_is_left_alone_unless_forced(redriving, poisonous):
    await park(redriving, last=1)
    for _ in range(3):
        await redriving.redrive("0")

    with pytest.raises(UnfitError, match="in vain 3 times; --force"):
        await redriving.redrive("0")
    poisonous.undo()
    forced = Order(act=Act.REDRIVE, reason="sure", max_replays=1_000_000)
    assert (await redriving.redrive("0", forced)).state is LetterState.REDRIVEN


async def test_discarded_letter_gets_its_final_outcome_and_the_rest_is_applied(redriving, poisonous):
    await park(redriving, last=3)

    ending = await redriving.redrive("0", DISCARD, max_records=2)

    assert (ending.state, ending.decided) == (LetterState.DISCARDED, 4)
    assert await redriving.outcomes() == {"0": GIVEN_UP, **dict.fromkeys("123", APPLIED)}
    assert await redriving.told("0") == [("dead-lettered", 1, False), ("dead-lettered", 2, True)]
    assert (await redriving.events(redriving.mine))[1:] == list("123")
    assert await redriving.nothing_waits()
    for order in (REDRIVE, DISCARD):
        with pytest.raises(SettledError, match="is discarded, and nothing waits"):
            await redriving.redrive("0", order)


async def test_kill_while_the_rest_of_a_discarded_letter_is_applied_is_made_up_for(redriving):
    await park(redriving, last=3)
    letter, redriver = await redriving.letter("0"), redriving.redriver()
    async with redriving.bench.database.transaction() as session:
        await redriver._step.take(session, letter, DISCARD, Attempt(most=1))

    assert await redriving.states() == {"0": ("discarded", 0)}
    await redriver.settle(letter, DISCARD)

    assert await redriving.outcomes() == {"0": GIVEN_UP, **dict.fromkeys("123", APPLIED)}
    assert await redriving.told("0") == [("dead-lettered", 1, False), ("dead-lettered", 2, True)]
    assert await redriving.states() == {"0": ("discarded", 0)}


@pytest.mark.parametrize("order", [REDRIVE, DISCARD])
async def test_act_of_many_transactions_is_noted_once_whatever_fails_on_its_way(redriving, poisonous, order):
    """Some are decided, one fails, is found by halving and given up, and the rest goes on."""
    await park(redriving, last=3)
    await redriving.settle(project(redriving.mine, "4", name="Other"), *(project(redriving.mine, n) for n in "567"))
    poisonous.undo()
    poison(poisonous, name="Other")
    policies = {"squad.create-project.v1": Policy.CONTINUE}
    left: list[int] = []

    ending = await redriving.redriver(max_records=3, policies=policies).settle(
        await redriving.letter("0"), order, lambda so_far: left.append(so_far.left)
    )

    assert (len(ending.became_letters), ending.left) == (1, 0)
    assert len(left) > 3
    audits = await redriving.bench.rows("SELECT action, target, before, after FROM audit")
    [(action, target, before, after)] = audits
    assert (action, target) == (f"dead-letters {order.act}", f"dead_letters/{await redriving.letter('0')}")
    assert (before["state"], after["parked"]) == ("open", left[0])


async def test_checker_finds_nothing_wrong_with_what_was_parked_redriven_and_discarded(redriving, poisonous, database):
    user, squad = await two_queues(redriving)
    await redriving.settle(
        project(redriving.mine, "5", name=POISON),
        project(redriving.mine, "6", name="Other"),
        project(redriving.mine, "7"),
    )
    poisonous.undo()
    await redriving.redrive("0")
    await redriving.redrive("1", DISCARD)
    poison(poisonous, name="Other")
    await redriving.redrive("5")
    poisonous.undo()
    await redriving.redrive("6", max_records=1)

    publisher = RecordingPublisher()
    async with leading_relay(database, publisher) as relay:
        await relay.pass_once()
    verdict = await judge_run(database, redriving.applied, publisher.records)

    assert verdict.result is Result.PASS, verdict.tell()
    assert await redriving.events(user) == ["0", "3"]
    assert await redriving.events(squad) == []
    assert (await redriving.events(redriving.mine))[1:] == ["5", "6", "7"]


async def test_outcomes_say_what_the_tables_say(redriving, poisonous):
    """The inbox keeps what is told; state and events agree after all of it."""
    await park(redriving)
    poisonous.undo()
    await redriving.redrive("0")

    rows = await redriving.bench.rows("SELECT outcome, outcome_revision, outcome_final, outcome_body FROM inbox")
    for outcome, revision, final, body in rows:
        told = json.loads(body)
        assert (told["outcome"], told["revision"], told["final"]) == (outcome, revision, final)
    told_state, state = await redriving.bench.retold()
    assert told_state == state
