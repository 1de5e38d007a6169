"""The checker is right about runs with a bug, and about the same runs without it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from db.database import Database
from db.models import Base
from tests.planted.catalogue import BUGS, HARMLESS
from tests.planted.judging import assert_caught, assert_masked, assert_passes
from tests.planted.planting import HarmlessChange, PlantedBug
from tests.planted.trial import Trial
from tests.relaying import execute

SHARING = [bug for bug in BUGS if bug.needs == "nothing"]
ALONE = [bug for bug in BUGS if bug.needs == "a database of its own"]
MASKED = [bug for bug in BUGS if bug.unmask is not None]
KEPT = {"inbox_floor", "leases", "relay_cursors"}


@pytest_asyncio.fixture
async def emptied(module_database_url: str) -> AsyncIterator[Database]:
    """The module's database without anything in it, because making one takes longer than a trial."""
    database = Database(url=module_database_url)
    for table in reversed(Base.metadata.sorted_tables):
        if table.name not in KEPT:
            await execute(database, f"DELETE FROM {table.name}")
    await execute(database, "UPDATE relay_cursors SET epoch = 0, current = NULL, high = NULL")
    yield database
    await database.close()


@pytest.mark.parametrize("bug", SHARING, ids=lambda bug: bug.name)
async def test_planted_bug_is_caught(bug: PlantedBug, emptied: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await assert_caught(Trial(emptied, monkeypatch, seed=bug.seed), bug)


@pytest.mark.parametrize("bug", SHARING, ids=lambda bug: bug.name)
async def test_same_run_without_the_bug_passes(
    bug: PlantedBug, emptied: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_passes(Trial(emptied, monkeypatch, seed=bug.seed), bug)


@pytest.mark.parametrize("bug", ALONE, ids=lambda bug: bug.name)
async def test_planted_bug_that_changes_the_schema_is_caught(
    bug: PlantedBug, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_caught(Trial(database, monkeypatch, seed=bug.seed), bug)


@pytest.mark.parametrize("bug", ALONE, ids=lambda bug: bug.name)
async def test_same_run_that_changes_the_schema_without_the_bug_passes(
    bug: PlantedBug, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_passes(Trial(database, monkeypatch, seed=bug.seed), bug)


@pytest.mark.parametrize("bug", MASKED, ids=lambda bug: bug.name)
async def test_other_defence_catches_what_this_one_lets_through(
    bug: PlantedBug, emptied: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_masked(Trial(emptied, monkeypatch, seed=bug.seed), bug)


@pytest.mark.parametrize("change", HARMLESS, ids=lambda change: change.name)
async def test_change_that_something_else_makes_harmless_passes(
    change: HarmlessChange, emptied: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(emptied, monkeypatch, seed=change.seed)
    await trial.begin()
    await change.plant(trial)
    await change.scenario(trial)

    verdict = await trial.judge()

    assert verdict.passed, verdict.tell()
