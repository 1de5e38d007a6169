"""A batch, a page and a step of pruning cost the same whatever is in the tables, as the server counts it.

Plans are tested elsewhere, statement by statement. Here nobody says which statements there are.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pytest
import pytest_asyncio
from sqlalchemy import text

from consumers.inbox_floor import Rule
from consumers.pruning import Pruner
from db.database import Database
from domain.commands import Command
from outbox.connection import own_connection
from outbox.partitions import Partitions
from tests.applying import Bench
from tests.filling import fill_outbox, fill_state
from tests.making import (
    FakeRecord,
    complete_project_tasks,
    complete_task,
    create_project,
    create_squad,
    create_task,
    new_id,
    record,
    register_user,
    transfer,
)
from tests.relaying import RecordingPublisher, execute, leading_relay

ROWS = [30_000, pytest.param(1_000_000, marks=[pytest.mark.long_faults, pytest.mark.timeout(600)])]
"""In each table, and in the outbox's 30 partitions together. The limits are the same."""

LARGE: Final = 1000
"""From so many rows on a table may not be read from end to end."""

BATCHES, SQUADS_EACH = 8, 20
"""Enough batches for the server to choose plans that serve all values."""

_COUNTS = text(
    """
    SELECT t.relname AS name, t.seq_scan AS scans,
           i.heap_blks_read + i.heap_blks_hit + COALESCE(i.idx_blks_read + i.idx_blks_hit, 0) AS blocks
    FROM pg_stat_user_tables t
    JOIN pg_statio_user_tables i USING (relid)
    JOIN pg_class c ON c.oid = relid
    WHERE c.reltuples >= :large
    """
)
_OTHERS = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was done to large tables: which were read from end to end, and how many blocks were touched."""

    scanned: list[str]
    blocks: int


@pytest_asyncio.fixture(scope="module", params=ROWS)
async def full(module_database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of a database with many rows, all of them published long ago."""
    database = Database(url=module_database_url, statement_timeout_seconds=600)
    now = datetime.now(UTC)
    await Partitions(database=database, days_ahead=29, now=lambda: now).maintain_once()
    async with own_connection(database) as connection:
        await connection.execute(text("TRUNCATE inbox, dead_letters, users, outbox CASCADE"))
        await fill_state(connection, rows=request.param)
        # Ids of transactions that every server has behind it.
        rows_per_day = request.param // 30
        await fill_outbox(connection, now.date(), days=30, rows_per_day=rows_per_day, txid="3 + day * 10 + n % 10")
        await connection.execute(text("SELECT setval('outbox_position', (SELECT max(position) FROM outbox) + 1)"))
        await connection.execute(text("UPDATE relay_cursors SET previous = pg_current_snapshot(), current = NULL"))
    await database.close()
    yield module_database_url


async def cost_of(url: str, act: Callable[[Database], Awaitable[None]]) -> Cost:
    """Do something on connections of its own, and give what the server counted."""
    before = await counts(url)
    database = Database(url=url)
    try:
        await act(database)
    finally:
        await database.close()
    after = await counts(url)
    return Cost(
        scanned=[name for name, (scans, _) in after.items() if scans > before.get(name, (0, 0))[0]],
        blocks=sum(blocks - before.get(name, (0, 0))[1] for name, (_, blocks) in after.items()),
    )


async def counts(url: str) -> dict[str, tuple[int, int]]:
    """Give the server's counts by table, when everybody else is gone: only then have they said all that they know."""
    database = Database(url=url)
    async with own_connection(database) as connection:
        while await connection.scalar(_OTHERS):
            pass
        found = {row.name: (row.scans, row.blocks) for row in await connection.execute(_COUNTS, {"large": LARGE})}
    await database.close()
    return found


def commands(number: int) -> list[FakeRecord]:
    """Give a batch with something of each kind."""
    records: list[FakeRecord] = []
    for each in range(SQUADS_EACH):
        owner, heir, squad, project, task = (new_id() for _ in range(5))
        mixed: list[Command] = [
            register_user(owner),
            register_user(heir),
            register_user(new_id(), email=f"{number * SQUADS_EACH + each + 1}@example.org"),
            create_squad(owner, squad),
            create_project(squad, project),
            create_task(squad, project, task),
            create_task(squad, project),
            complete_task(squad, task),
            transfer(squad, heir),
        ]
        if not each:
            mixed.append(complete_project_tasks(squad, project))
        records += (record(command, time=datetime.now(UTC)) for command in mixed)
    records += [FakeRecord(key=b"noise", value=b"\xff"), records[0]]
    for sent in records:
        sent.timestamp = round(datetime.now(UTC).timestamp() * 1000)
    return records


async def apply_batches(database: Database) -> None:
    await execute(database, "DELETE FROM checkpoints")
    bench = Bench(database)
    for number in range(BATCHES):
        counts = await bench.apply(*commands(number))
        assert (counts["applied"], counts["rejected: email-taken"]) == (8 * SQUADS_EACH + 1, SQUADS_EACH), counts


async def publish(database: Database) -> None:
    for page_rows in (40, 2000):
        publisher = RecordingPublisher()
        async with leading_relay(database, publisher, page_rows=page_rows) as relay:
            while await relay.relay_batch():
                pass
            for _ in range(10):
                assert await relay.relay_batch() == 0
            await apply_batches(database)
            assert await relay.pass_once() > 1000


async def prune(database: Database) -> None:
    await execute(database, "UPDATE checkpoints SET last_timestamp = now(), caught_up_at = now()")
    pruner = Pruner(database=database, rule=Rule(age_limit_seconds=0, skew_seconds=0, keep_seconds=0), max_rows=100)
    pruner.stop()
    assert await pruner.prune_once() == 100


# The limits are what it took with few rows, and half as much again: a tree of a million rows is a block higher.
@pytest.mark.parametrize(("act", "most_blocks"), [(apply_batches, 75_000), (publish, 155_000), (prune, 1_400)])
async def test_no_large_table_is_read_from_end_to_end_and_as_little_of_it_as_ever(
    full: str, act: Callable[[Database], Awaitable[None]], most_blocks: int
) -> None:
    cost = await cost_of(full, act)
    assert cost.scanned == []
    assert most_blocks / 4 < cost.blocks < most_blocks
