"""A dump under load, work after it, the dump restored: refused, re-based, and once caught up the checker passes."""

import asyncio
import json
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.settings import Settings
from checker.case import Case
from checker.faults import Invariant
from db.database import Database
from tests.acceptance.conftest import running
from tests.dumping import dump, restore
from tests.faults.conftest import Scenarios
from tests.faults.scenario import Scenario
from tests.faults.servers import start_own

REASON = ("--reason", "restored from a dump")


async def squad(settings: Settings, *arguments: str) -> str:
    """Run a verb to its end, and give what it printed."""
    with running(settings, *arguments) as process:
        code, printed = await asyncio.to_thread(process.finish)
    assert code == 0, printed
    return printed


@asynccontextmanager
async def work_dump_work(scenario: Scenarios, file: Path, *, seed: int) -> AsyncIterator[Scenario]:
    """Give a scenario of which a dump was taken in the midst of things, and whose processes have ended after more work.

    When the dump was taken, some was applied and not published; what came later was applied and is lost.
    """
    async with scenario(seed=seed) as run:
        consumer, relay = await run.start("consumer"), await run.start("relay")
        await run.register_users()
        async with run.load():
            await run.pause(0.5, 1.0)
            assert await relay.stop() == 0
            await run.pause(0.3, 0.5)
            applied = await run.glance()
            await dump(run.settings.database_url, file)
            await run.pause(0.5, 1.0)
            assert await consumer.stop() == 0
        run.journal.note("dumped", at_dump=applied, later=await run.glance())
        yield run


async def go_on_with(run: Scenario, url: str) -> None:
    """Let everything that follows use a restored database, once the relay has refused to and was re-based."""
    run.settings = run.settings.model_copy(update={"database_url": url})
    run.database = Database(url=url)
    refused = await run.start("relay")
    run.excuse(refused, "it refuses another database than its cursor's")
    assert await refused.wait(30) == 1
    assert "squad relay rebase" in refused.printed
    planned = json.loads(await squad(run.settings, "relay", "rebase", *REASON, "--json"))
    assert planned["rows"] > 0
    assert (planned["repeated"], planned["left_out"]) == (0, 0)
    await squad(run.settings, "relay", "rebase", *REASON, "--yes")
    run.journal.note("restored and re-based", refusal=refused.printed.splitlines()[-1])


@pytest.mark.real_kafka("groups of several consumers")
async def test_dump_restored_into_another_database_loses_nothing(
    scenario: Scenarios, empty_database_url: str, tmp_path: Path
) -> None:
    async with work_dump_work(scenario, tmp_path / "dump", seed=61) as run:
        await restore(tmp_path / "dump", empty_database_url)
        await go_on_with(run, empty_database_url)
        for role in ("consumer", "relay"):
            await run.start(role)
        async with run.load():
            await run.pause(0.3, 0.6)
        await run.conclude()
        await run.database.close()


@pytest.mark.real_kafka("groups of several consumers")
@pytest.mark.long_faults
@pytest.mark.parametrize("seed", range(62, 67))
async def test_dump_restored_into_another_cluster_loses_nothing(scenario: Scenarios, tmp_path: Path, seed: int) -> None:
    async with (
        start_own("embedded", postgres_settings={"fsync": "off"}) as servers,
        work_dump_work(scenario, tmp_path / "dump", seed=seed) as run,
    ):
        await restore(tmp_path / "dump", servers.database_url)
        await go_on_with(run, servers.database_url)
        for role in ("consumer", "relay"):
            await run.start(role)
        async with run.load():
            await run.pause(0.3, 0.6)
        await run.conclude()
        await run.database.close()


@pytest.mark.real_kafka("groups of several consumers")
@pytest.mark.long_faults
async def test_commands_read_again_from_the_beginning_are_answered_again_and_change_nothing(
    scenario: Scenarios, empty_database_url: str, tmp_path: Path
) -> None:
    async with work_dump_work(scenario, tmp_path / "dump", seed=67) as run:
        await restore(tmp_path / "dump", empty_database_url)
        await go_on_with(run, empty_database_url)
        await squad(run.settings, "checkpoints", "accept", "--all", "--to", "earliest", *REASON, "--yes")
        run.journal.note("read again from the beginning")
        actors = [await run.start(role) for role in ("consumer", "relay")]
        verdict = await run.conclude(drain_seconds=60, not_promised={Invariant.ANSWERED})
        evidence = pickle.loads((run.directory / "evidence.pickle").read_bytes())  # noqa: S301 - our own
        await run.database.close()
        assert [actor.code for actor in actors] == [0, 0]
    # Once for each record is what is promised where nothing is read again; here it is at least so often.
    assert {finding.invariant for finding in verdict.findings} == {Invariant.ANSWERED}, verdict
    case = Case(evidence)
    assert all(case.answers[identity] >= len(places) for identity, places in case.answerable.items())
