"""The statements of a batch stay index look-ups when the tables are large."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import TextClause, text

from consumers import inbox, inbox_floor, parking
from consumers.inbox_floor import NO_FLOOR
from db import load
from db.database import Database
from outbox.connection import own_connection
from tests.filling import fill_state

ROWS = [100_000, pytest.param(1_000_000, marks=[pytest.mark.long_faults, pytest.mark.timeout(600)])]
"""In each table that a batch loads from."""


PARKED_STREAMS = """
    WITH letter AS (
        INSERT INTO dead_letters (id, topic, partition, record_offset, timestamp, header_names, header_values, reason,
                                  detail)
        VALUES (gen_random_uuid(), 'elsewhere', 0, 0, now(), '{}', '{}', 'unexpected', '')
        RETURNING id
    )
    INSERT INTO parked_streams SELECT gen_random_uuid(), id, now() FROM letter, generate_series(1, 20000)
"""


@pytest_asyncio.fixture(scope="module", params=ROWS)
async def large(module_database_url: str, request: pytest.FixtureRequest):
    database = Database(url=module_database_url, statement_timeout_seconds=600)
    async with own_connection(database) as connection:
        await connection.execute(text("TRUNCATE inbox, dead_letters, users CASCADE"))
        await fill_state(connection, rows=request.param)
    yield database
    await database.close()


async def plan(database: Database, statement: TextClause, **parameters):
    """Give all nodes of a statement's plan, as it runs with these parameters."""
    async with database.sessions() as session:
        explained = await session.scalar(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}"), parameters)
        await session.rollback()
    found = [(explained if isinstance(explained, list) else json.loads(explained))[0]["Plan"]]
    for node in found:
        found.extend(node.get("Plans", ()))
    return found


def assert_looks_up_by_index(nodes, index: str) -> None:
    small = {"inbox_floor", "parked_streams"}  # the one has one row, of the other one is asked for whether there is any
    kinds = {node["Node Type"] for node in nodes if node.get("Relation Name") not in small}
    assert "Seq Scan" not in kinds, nodes
    assert index in {node.get("Index Name") for node in nodes}, nodes


async def some(database: Database, query: str, number: int = 500) -> list[str]:
    async with database.sessions() as session:
        return [row[0] for row in await session.execute(text(f"{query} LIMIT {number}"))]


async def test_known_ids_are_looked_up_by_primary_key(large):
    ids = await some(large, "SELECT command_id FROM inbox")
    nodes = await plan(large, inbox.FIND, sources=["/tests"] * 500, command_ids=ids)

    assert_looks_up_by_index(nodes, "pk_inbox")
    assert nodes[0]["Actual Rows"] == 500


async def test_parked_streams_are_looked_up_and_locked_by_primary_key(large):
    async with large.transaction() as session:
        await session.execute(text(PARKED_STREAMS))
    async with own_connection(large) as connection:
        await connection.execute(text("ANALYZE parked_streams"))
    streams = await some(large, "SELECT stream::text FROM parked_streams")
    for statement in (parking.LOOK, parking.LOCK):
        nodes = await plan(large, statement, streams=streams)

        assert "pk_parked_streams" in {node.get("Index Name") for node in nodes}, nodes
        assert nodes[0]["Actual Rows"] == 500
    async with large.transaction() as session:
        await session.execute(text("DELETE FROM parked_streams"))


async def test_roots_are_locked_by_primary_key_in_sorted_order(large):
    for table, statement in (("users", load.LOCK_USERS), ("squads", load.LOCK_SQUADS)):
        ids = await some(large, f"SELECT id::text FROM {table}")
        writes = [number % 2 == 0 for number in range(500)]
        nodes = await plan(large, statement, ids=ids, writes=writes)

        assert_looks_up_by_index(nodes, f"pk_{table}")
        kinds = [node["Node Type"] for node in nodes]
        assert "Sort" in kinds
        assert kinds.count("LockRows") == 2
        assert nodes[0]["Actual Rows"] == 500


async def test_parts_and_emails_are_loaded_by_index(large):
    for table, statement in (("projects", load.SELECT_PROJECTS), ("tasks", load.SELECT_TASKS)):
        nodes = await plan(large, statement, ids=await some(large, f"SELECT id::text FROM {table}"))
        assert_looks_up_by_index(nodes, f"pk_{table}")
    keys = [f"{number}@example.org" for number in range(1, 501)]
    assert_looks_up_by_index(await plan(large, load.SELECT_EMAIL_KEYS, keys=keys), "uq_users_email_key")


async def test_usage_and_feedback_are_loaded_by_index(large):
    squads = await some(large, "SELECT squad_id::text FROM usage_metrics")
    asked = {"squads": squads, "metrics": ["tokens"] * 500, "periods": [date(2026, 5, 1)] * 500}
    nodes = await plan(large, load.SELECT_USAGE, **asked)

    assert_looks_up_by_index(nodes, "uq_usage_metrics_squad_id_metric_period")
    assert nodes[0]["Actual Rows"] == 500
    ids = await some(large, "SELECT id::text FROM feedback")
    assert_looks_up_by_index(await plan(large, load.SELECT_FEEDBACK, ids=ids), "pk_feedback")


async def test_owners_are_found_by_index_whatever_squads_are_left_out(large):
    owners = await some(large, "SELECT user_id::text FROM squads")
    nodes = await plan(large, load.SELECT_OWNERS, ids=owners, loaded=await some(large, "SELECT id::text FROM squads"))

    assert_looks_up_by_index(nodes, "ix_squads_user_id")
    assert nodes[0]["Actual Rows"] == 0


async def test_step_of_pruning_reads_the_rows_that_it_deletes_and_the_open_letters_by_index(large):
    now = datetime.now(UTC)
    for floor in (now - timedelta(hours=24), now):
        place = {"from": NO_FLOOR, "floor": floor, "recorded_before": floor, "max_rows": 100}
        nodes = await plan(large, inbox_floor.DELETE, **place)

        assert_looks_up_by_index(nodes, "ix_inbox_ce_time")
        assert_looks_up_by_index(nodes, "pk_inbox")
        assert_looks_up_by_index(nodes, "ix_dead_letters_source_command_id")
        assert {node["Actual Rows"] for node in nodes if node.get("Index Name") == "ix_inbox_ce_time"} == {100}
