"""The checker is right about runs with a bug, and about the same runs without it."""

import pytest

from checker.judge import Result, Verdict
from db.database import Database
from tests.planted.catalogue import BUGS, HARMLESS
from tests.planted.planting import HarmlessChange, PlantedBug
from tests.planted.trial import Trial

MASKED = [bug for bug in BUGS if bug.unmask is not None]


async def judge(trial: Trial, bug: PlantedBug, *, planted: bool, unmasked: bool = True) -> Verdict:
    await trial.begin()
    if unmasked and bug.unmask is not None:
        await bug.unmask(trial)
    if planted:
        await bug.plant(trial)
    await bug.scenario(trial)
    return await trial.judge()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
async def test_planted_bug_is_caught(bug: PlantedBug, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = await judge(Trial(database, monkeypatch, seed=bug.seed), bug, planted=True)

    assert verdict.result is Result.FAIL
    assert {finding.invariant for finding in verdict.findings} == bug.caught_by, verdict.tell()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
async def test_same_run_without_the_bug_passes(
    bug: PlantedBug, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = await judge(Trial(database, monkeypatch, seed=bug.seed), bug, planted=False)

    assert verdict.passed, verdict.tell()


@pytest.mark.parametrize("bug", MASKED, ids=lambda bug: bug.name)
async def test_other_defence_catches_what_this_one_lets_through(
    bug: PlantedBug, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = await judge(Trial(database, monkeypatch, seed=bug.seed), bug, planted=True, unmasked=False)

    assert verdict.passed, verdict.tell()


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
