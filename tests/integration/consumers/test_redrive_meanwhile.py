"""What consumers settle while a redrive is under way: nothing overtakes, and it ends all the same."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from consumers import queues
from consumers.letter_filter import LetterState
from tests import making
from tests.making import FakeRecord, new_id, record
from tests.poison import POISON, poison
from tests.redriving import REDRIVE, Redriving, park
from tests.settling import APPLIED, DEAD, PARKED, project, until_blocked

pytestmark = pytest.mark.usefixtures("poisonous")


async def test_redrive_beside_consumers_of_the_same_stream_lets_nothing_overtake(redriving, poisonous, database):
    """The stream has no root yet, so nothing of it can be locked; commands come while what waits is applied."""
    squad = new_id()
    await redriving.settle(record(making.create_squad(redriving.ada, squad, name=POISON), command_id="c0"))
    letter, numbers = await redriving.letter("c0"), iter(range(1, 10_000))
    many, done = asyncio.Event(), asyncio.Event()

    async def consume() -> None:
        after = 0
        while after < 3:
            after += done.is_set()
            await redriving.settle(project(squad, f"c{next(numbers)}"))
            if len(await redriving.parked(squad)) >= 10:
                many.set()

    consuming = asyncio.create_task(consume())
    await many.wait()
    poisonous.undo()
    try:
        await redriving.redriver(max_records=8).settle(letter, REDRIVE)
    finally:
        done.set()
        await consuming

    last = next(numbers)
    assert await redriving.events(squad) == [f"c{number}" for number in range(last)]
    assert await redriving.bench.rows("SELECT DISTINCT outcome, outcome_final FROM inbox") == [APPLIED]
    assert await redriving.told("c1") == [("parked", 1, False), ("applied", 2, True)]
    assert await redriving.told(f"c{last - 1}") == [("applied", 1, True)]
    assert await redriving.nothing_waits()
    assert not redriving.readers.stopped


def overtake(redriving: Redriving, patch: pytest.MonkeyPatch, made: Iterator[FakeRecord]) -> list[asyncio.Task[None]]:
    """Have one command more settled each time that a redrive has seen what waits, before it has its locks."""
    load, settled = queues.load, list[asyncio.Task[None]]()

    async def load_and_be_overtaken(*given: Any, **named: Any) -> Any:
        found = await load(*given, **named)
        if (one := next(made, None)) is not None:
            settled.append(asyncio.create_task(redriving.settle(one)))
            blocked = asyncio.create_task(until_blocked(redriving.bench))
            await asyncio.wait([settled[-1], blocked], return_when=asyncio.FIRST_COMPLETED)
            blocked.cancel()
        return found

    patch.setattr(queues, "load", load_and_be_overtaken)
    return settled


async def test_redrive_ends_however_fast_commands_are_parked_meanwhile(redriving, poisonous):
    await park(redriving, last=3)
    poisonous.undo()
    settled = overtake(redriving, poisonous, (project(redriving.mine, each) for each in "456789abcdef"))

    ending = await redriving.redrive("0", max_records=4)
    await asyncio.gather(*settled)

    assert (ending.state, ending.left, len(settled)) == (LetterState.REDRIVEN, 0, 4)
    assert (await redriving.events(redriving.mine))[1:] == list("01234567")
    assert await redriving.told("6") == [("parked", 1, False), ("applied", 2, True)]
    assert await redriving.told("7") == [("applied", 1, True)], "the last one had to wait for the locks"
    assert await redriving.nothing_waits()


async def test_record_that_fails_among_those_that_nobody_parks_behind_any_more_is_the_one_that_is_given_up(
    redriving, poisonous
):
    await park(redriving, last=3)
    poisonous.undo()
    poison(poisonous, name="Other")
    names = zip("4567", ("Project", "Project", "Other", "Project"), strict=True)
    settled = overtake(redriving, poisonous, (project(redriving.mine, each, name=name) for each, name in names))

    ending = await redriving.redrive("0", max_records=4, attempts=2)
    await asyncio.gather(*settled)

    assert ending.became_letters == [await redriving.letter("6")]
    assert await redriving.outcomes() == {**dict.fromkeys("012345", APPLIED), "6": DEAD, "7": PARKED}
    assert (await redriving.events(redriving.mine))[1:] == list("012345")
