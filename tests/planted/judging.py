"""What is asked of every planted bug."""

from checker.judge import Result, Verdict
from tests.planted.planting import PlantedBug
from tests.planted.trial import Trial


async def assert_caught(trial: Trial, bug: PlantedBug) -> None:
    """With the bug, exactly those invariants are broken that its row names."""
    if bug.unmask is not None:
        await bug.unmask(trial)
    await bug.plant(trial)

    verdict = await _run(trial, bug)

    assert verdict.result is Result.FAIL
    assert {finding.invariant for finding in verdict.findings} == bug.caught_by, verdict.tell()


async def assert_passes(trial: Trial, bug: PlantedBug) -> None:
    """Without it, the same run is without fault."""
    if bug.unmask is not None:
        await bug.unmask(trial)

    verdict = await _run(trial, bug)

    assert verdict.passed, verdict.tell()


async def assert_masked(trial: Trial, bug: PlantedBug) -> None:
    """With the bug, and with the defence that catches it too, the run is without fault."""
    await bug.plant(trial)

    verdict = await _run(trial, bug)

    assert verdict.passed, verdict.tell()


async def _run(trial: Trial, bug: PlantedBug) -> Verdict:
    await trial.begin()
    await bug.scenario(trial)
    return await trial.judge()
