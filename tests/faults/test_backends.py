"""Every connection to PostgreSQL broken under load, again and again: nothing is lost, doubled or out of order."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Row, text

from tests.faults.conftest import Scenarios
from tests.faults.scenario import Scenario

TERMINATE = text(
    """
    SELECT application_name, coalesce(state, 'starting') AS state, left(query, 60) AS query, pg_terminate_backend(pid)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    """
)


async def _terminate_all(run: Scenario) -> None:
    """End every backend of the run's database but our own, and note what each was at."""
    progress = await run.glance()
    ended: list[Row[Any]] = []
    async with asyncio.timeout(20):
        # Right after the time before, there may be none yet. A transaction sees its first view of them to its end.
        while not ended:
            async with run.database.engine.connect() as connection:
                ended = [row for row in await connection.execute(TERMINATE) if row.application_name == "agent-squad"]
    run.journal.note(
        "every backend terminated",
        breaks=sum(actor.lives and actor.role.relays for actor in run.actors),
        connections=len(ended),
        active=[row.query for row in ended if row.state == "active"],
        in_transaction=sum(row.state.startswith("idle in transaction") for row in ended),
        **progress,
    )


async def _hurt_backends(run: Scenario, *, times: int) -> None:
    actors = [await run.start(name) for name in ("consumer-1", "consumer-2", "relay-1", "relay-2")]
    await run.register_users()
    async with run.load(rate=300):
        await asyncio.gather(*(run.until_works(actor) for actor in actors[:2]))
        for _ in range(times):
            await run.pause(0.05, 0.6)
            await _terminate_all(run)
    await run.conclude()

    assert any(entry.evidence["active"] or entry.evidence["in_transaction"] for entry in run.journal.entries)
    assert all(actor.code == 0 for actor in actors)


@pytest.mark.real_kafka("groups of several consumers")
async def test_terminated_backends_lose_and_double_nothing(scenario: Scenarios) -> None:
    async with scenario(seed=41) as run:
        await _hurt_backends(run, times=5)


@pytest.mark.real_kafka("groups of several consumers")
@pytest.mark.parametrize("seed", range(42, 46))
@pytest.mark.long_faults
async def test_backends_terminated_forty_times(scenario: Scenarios, seed: int) -> None:
    async with scenario(seed=seed) as run:
        await _hurt_backends(run, times=40)
