"""The checker is right about runs with a bug, and about the same runs without it."""

import pytest

from db.database import Database
from tests.planted.catalogue import BUGS, HARMLESS
from tests.planted.judging import assert_caught, assert_masked, assert_passes
from tests.planted.planting import HarmlessChange, PlantedBug
from tests.planted.trial import Trial

HERE = [bug for bug in BUGS if bug.needs == "nothing"]
MASKED = [bug for bug in BUGS if bug.unmask is not None]


@pytest.mark.parametrize("bug", HERE, ids=lambda bug: bug.name)
async def test_planted_bug_is_caught(bug: PlantedBug, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await assert_caught(Trial(database, monkeypatch, seed=bug.seed), bug)


@pytest.mark.parametrize("bug", HERE, ids=lambda bug: bug.name)
async def test_same_run_without_the_bug_passes(
    bug: PlantedBug, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_passes(Trial(database, monkeypatch, seed=bug.seed), bug)


@pytest.mark.parametrize("bug", MASKED, ids=lambda bug: bug.name)
async def test_other_defence_catches_what_this_one_lets_through(
    bug: PlantedBug, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_masked(Trial(database, monkeypatch, seed=bug.seed), bug)


@pytest.mark.parametrize("change", HARMLESS, ids=lambda change: change.name)
async def test_change_that_something_else_makes_harmless_passes(
    change: HarmlessChange, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(database, monkeypatch, seed=change.seed)
    await trial.begin()
    await change.plant(trial)
    await change.scenario(trial)

    verdict = await trial.judge()

    assert verdict.passed, verdict.tell()
