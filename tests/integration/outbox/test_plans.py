"""The plans of the relay's statements on many rows in 30 partitions, with the relay's own settings."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import pytest_asyncio
from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import PGCompiler_asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database
from outbox import held, held_pages, releasing, restore, status, window
from outbox.connection import own_connection
from outbox.days import first_position
from outbox.partitions import Partitions
from tests.filling import fill_outbox

FIRST = datetime(2031, 1, 1, tzinfo=UTC)
LAST_DAY = first_position((FIRST + timedelta(days=29)).date())
PER_DAY = [6_667, pytest.param(33_334, marks=[pytest.mark.long_faults, pytest.mark.timeout(600)])]
"""What each of the 30 partitions has: 200,000 rows in all, or a million in the long tier. The limits are the same."""


@pytest.fixture(scope="module", params=PER_DAY)
def rows_per_day(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest_asyncio.fixture(scope="module")
async def connection(module_database_url: str, rows_per_day: int) -> AsyncIterator[AsyncConnection]:
    database = Database(url=module_database_url, statement_timeout_seconds=600)
    await Partitions(database=database, days_ahead=29, now=lambda: FIRST).maintain_once()
    async with own_connection(database) as connection:
        await connection.execute(text("TRUNCATE outbox, held"))
        # Numbers that only the planner looks at: a relay would refuse them.
        await fill_outbox(connection, FIRST.date(), days=30, rows_per_day=rows_per_day, txid="day * 100000 + n")
        for statement in window.SETTINGS:
            await connection.execute(statement)
        yield connection
    await database.close()


@pytest.fixture
def new(rows_per_day: int) -> dict[str, object]:
    """Give a window with two rows of late transactions and the last 67."""
    previous_xmax = 29 * 100_000 + rows_per_day - 67
    return {"previous_xmax": previous_xmax, "previous_xip": [120, 1_700_500], "current": "9000000:9000000:"}


async def explain(connection: AsyncConnection, statement: TextClause, **parameters: object) -> dict[str, Any]:
    """Explain as it runs: prepared, with the one plan that serves all values."""
    compiled = statement.compile(dialect=connection.dialect)
    names = cast("PGCompiler_asyncpg", compiled).positiontup or []
    values = ", ".join(literal(parameters[name]) for name in names)
    await connection.exec_driver_sql(f"PREPARE explained AS {compiled}")
    explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE explained ({values})"
    found = (await connection.exec_driver_sql(explained)).scalar_one()
    await connection.exec_driver_sql("DEALLOCATE explained")
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    return f"'{{{','.join(map(str, value))}}}'" if isinstance(value, list) else f"'{value}'"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in nodes(plan) if "Scan" in node["Node Type"] and "Relation Name" in node]


def blocks(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.parametrize("statements", [window.WHOLE, window.SLICED], ids=["whole", "sliced"])
async def test_relay_statements_touch_only_what_is_new(
    connection: AsyncConnection, new: dict[str, object], statements: window.Statements
) -> None:
    slots = {"slot_from": 0, "slot_to": 1000} if statements is window.SLICED else {}
    place = {"at": LAST_DAY + 1000, **slots}
    by_txid = [
        await explain(connection, statements.survey, **new, **slots),
        await explain(connection, statements.fetch_all, **new, **slots),
    ]
    by_position = [
        await explain(connection, statements.bound, high=LAST_DAY + 6000, page_rows=500, **place),
        await explain(
            connection, statements.bound_by_bytes, high=LAST_DAY + 6000, page_rows=500, page_bytes=1, **place
        ),
        await explain(connection, statements.fetch, bound=LAST_DAY + 1500, **(new | {"previous_xmax": 1}), **place),
    ]
    for plan in by_txid:
        assert {node["Node Type"] for node in scans(plan)} <= {"Index Scan", "Index Only Scan"}
        assert all("txid" in node["Index Name"] for node in scans(plan))
        assert blocks(plan) < 400  # of some 6,000, or 30,000
    for plan in by_position:
        assert {node["Node Type"] for node in scans(plan)} <= {"Index Scan", "Index Only Scan"}
        assert all("pkey" in node["Index Name"] for node in scans(plan))
        assert blocks(plan) < 100


async def test_snapshot_is_parsed_once_and_not_for_each_row(
    connection: AsyncConnection, new: dict[str, object]
) -> None:
    plan = await explain(connection, window.WHOLE.survey, **new)
    filters = [node["Filter"] for node in nodes(plan) if "Filter" in node]
    assert filters
    assert all("pg_snapshot" not in condition for condition in filters), filters


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_oldest_row_that_waits_is_found_whatever_waits_and_without_the_relays_settings(
    connection: AsyncConnection, mode: str
) -> None:
    settings = ("plan_cache_mode", "enable_seqscan", "enable_bitmapscan")
    for name, value in zip(settings, (mode, "on", "on"), strict=True):
        await connection.execute(text(f"SET {name} = {value}"))
    place = {"slot_from": 0, "slot_to": 1000, "previous_xip": [120, 1_700_500]}
    # Nearly everything waits: behind the cursor while no window is open, and in an open one.
    behind = {"previous_xmax": 1, "current": None, "position": 0, "high": None}
    within = {"previous_xmax": 1, "current": "9000000:9000000:", "position": LAST_DAY, "high": LAST_DAY + 90_000}

    plans = [await explain(connection, status.OLDEST, **place, **each) for each in (behind, within)]

    for statement in window.SETTINGS:
        await connection.execute(statement)
    assert [plan["Actual Rows"] for plan in plans] == [1, 1]
    for plan in plans:
        assert {node["Node Type"] for node in scans(plan)} <= {"Index Scan", "Index Only Scan"}
        assert blocks(plan) < 400  # of some 6,000, or 30,000


async def test_highest_transaction_id_is_found_without_reading_rows(connection: AsyncConnection) -> None:
    plan = await explain(connection, restore.LOOK, shard=0)
    assert {node["Node Type"] for node in scans(plan) if node["Relation Name"].startswith("outbox")} == {
        "Index Only Scan"
    }
    assert blocks(plan) < 400


async def test_lines_of_a_hold_are_found_by_its_slot_and_rows_by_position(connection: AsyncConnection) -> None:
    await connection.execute(
        text("INSERT INTO held (position, topic, key, slot, reason) SELECT position, topic, key, slot, 'x' FROM outbox")
    )
    await connection.execute(text("ANALYZE held"))
    plan = await explain(connection, held.LINES, slot=7, topic="squad.events", key="key", position=1, page_rows=100)
    assert {node["Node Type"] for node in scans(plan)} <= {"Index Scan", "Index Only Scan"}
    assert blocks(plan) < 600  # 100 lines, each looked up in one of 30 partitions
    wanted = {"low": LAST_DAY + 1, "high": LAST_DAY + 900, "positions": [LAST_DAY + 1, LAST_DAY + 9, LAST_DAY + 900]}
    rows = await explain(connection, held_pages.ROWS, **wanted)
    assert {node["Node Type"] for node in scans(rows)} <= {"Index Scan"}
    assert blocks(rows) < 20
    requested = await explain(connection, releasing.REQUESTED, slot_from=0, slot_to=1023)
    assert {node["Index Name"] for node in scans(requested)} == {"ix_held_asked_for"}
    assert blocks(requested) < 10
