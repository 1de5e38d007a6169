"""How late a command may come, and what is told to one that comes later."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from consumers import checkpoints
from consumers.inbox import NoFloorError
from consumers.inbox_floor import Rule
from consumers.pruning import Pruner
from tests import making
from tests.applying import Bench
from tests.making import NOON, SOURCE, record

WEEK, SKEW, MOMENT = timedelta(days=7), timedelta(minutes=5), timedelta(milliseconds=1)


async def raise_floor(bench: Bench, floor: datetime) -> None:
    async with bench.database.transaction() as session:
        await session.execute(text("UPDATE inbox_floor SET pruned_before = :floor"), {"floor": floor})


def dead_lettered(outcome, reason: str) -> bool:
    return (outcome["outcome"], outcome["code"], outcome["final"]) == ("dead-lettered", reason, False)


@pytest.mark.parametrize(
    ("sent", "reason"), [(NOON - WEEK - MOMENT, "too-old"), (NOON + SKEW + MOMENT, "from-the-future")]
)
async def test_command_sent_too_long_before_or_after_its_record_is_dead_lettered_and_answered(bench, sent, reason):
    counts = await bench.apply(record(making.register_user(), command_id="1", time=sent))

    assert counts == Counter({f"dead letter: {reason}": 1, "outcome": 1})
    [outcome] = await bench.outcomes()
    assert dead_lettered(outcome, reason)
    assert await bench.rows("SELECT reason, source, command_id FROM dead_letters") == [(reason, SOURCE, "1")]
    assert await bench.rows("SELECT command_id, ce_time, outcome_final FROM inbox") == [("1", sent, False)]
    assert await bench.rows("SELECT count(*) FROM users") == [(0,)]


async def test_command_just_in_time_is_applied(bench):
    counts = await bench.apply(
        record(making.register_user(), time=NOON - WEEK), record(making.register_user(), time=NOON + SKEW)
    )

    assert counts["applied"] == 2


async def test_retry_that_comes_too_late_has_the_outcome_of_the_command_that_came_in_time(bench):
    command = making.register_user()
    await bench.apply(record(command, command_id="1"))
    late = record(command, command_id="1", timestamp=round((NOON + timedelta(days=40)).timestamp() * 1000))

    assert await bench.apply(late) == Counter({"duplicate": 1, "outcome": 1})

    bodies = await bench.rows("SELECT body, event_id FROM outbox WHERE topic = 'squad.outcomes'")
    assert len(bodies) == 2
    assert len(set(bodies)) == 1


async def test_too_late_command_that_comes_again_has_its_outcome_again(bench):
    late = record(making.register_user(), time=NOON - WEEK - MOMENT)

    assert await bench.apply(late, late) == Counter({"dead letter: too-old": 1, "duplicate": 1, "outcome": 2})


@pytest.mark.parametrize("sent", [NOON, NOON - timedelta(days=1)])
async def test_command_not_after_the_floor_that_is_not_known_is_refused_without_an_answer(bench, sent):
    """It may have been applied, and have had another answer; what is wrong with it besides does not matter."""
    await raise_floor(bench, NOON)
    wrong = record(making.register_user(), time=sent)
    wrong.value = b"{}"

    counts = await bench.apply(record(making.register_user(), command_id="1", time=sent), wrong)

    assert counts == Counter({"dead letter: too-old": 2})
    assert await bench.rows("SELECT count(*) FROM inbox") == [(0,)]
    assert await bench.rows("SELECT count(*) FROM users") == [(0,)]
    [(detail, source)] = await bench.rows("SELECT detail, source FROM dead_letters WHERE command_id = '1'")
    assert "whether the command was decided is not known any more" in detail
    assert source == SOURCE


async def test_command_below_the_floor_that_is_still_known_has_its_outcome_again(bench):
    command = record(making.register_user())
    await bench.apply(command)
    await raise_floor(bench, NOON + timedelta(days=1))

    assert await bench.apply(command) == Counter({"duplicate": 1, "outcome": 1})


async def test_command_pruned_while_its_repeat_is_being_applied_is_not_applied_again(bench, monkeypatch):
    """The floor is read in the statement that misses the row: one read before it would still be the low one."""
    now = datetime.now(UTC)
    command = record(making.register_user(), time=now - timedelta(seconds=20), timestamp=round(now.timestamp() * 1000))
    await bench.apply(command)
    pruner = Pruner(database=bench.database, rule=Rule(age_limit_seconds=10, skew_seconds=0, keep_seconds=0))
    compare = checkpoints.lock_and_compare

    async def compare_then_prune(*arguments):
        began_at = await compare(*arguments)
        assert await pruner.prune_once() == 1
        return began_at

    monkeypatch.setattr(checkpoints, "lock_and_compare", compare_then_prune)

    assert await bench.apply(command) == Counter({"dead letter: too-old": 1})
    assert await bench.rows("SELECT count(*), max(version) FROM users") == [(1, 1)]


async def test_nothing_is_decided_without_a_floor(bench):
    async with bench.database.transaction() as session:
        await session.execute(text("DELETE FROM inbox_floor"))

    with pytest.raises(NoFloorError):
        await bench.apply(record(making.register_user()))

    assert await bench.rows("SELECT count(*) FROM users") == [(0,)]
