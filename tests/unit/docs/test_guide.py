"""The page guide → here: every row of the guide stands there, and what it names is there."""

import json
import re

import pytest

from bench import claims
from db.models import Base
from tests.places import ROOT, codes, exists, missing_tests, rows_below

NOT_YET = "not yet"
ROWS = rows_below((ROOT / "docs" / "guide.md").read_text(), "guide")
NAMES = {
    *("User", "Squad", "SquadMember", "Project", "Task", "Feedback", "UsageMetrics"),
    *("create_async_engine", "async_sessionmaker", "get_db", "get_db_context", "get_sync_db", "get_sync_db_context"),
    *("SyncSessionLocal", "async_db"),
    *("get_user", "get_user_by_email", "get_users", "get_users_paginated", "get_squad_with_members", "count_users"),
    *("average_feedback_rating", "squad_member_counts", "soft_delete_user", "get_or_create_user", "transfer_squad"),
    *("complex_operation", "operation_with_savepoint", "increment_usage"),
    *("POST /users", "GET /users/{user_id}", "PATCH /users/{user_id}", "DELETE /users/{user_id}"),
}
COLUMNS = {
    "users": {"id", "email", "name", "password_hash", "is_active", "email_verified", "plan_tier", "created_at"}
    | {"deleted_at"},
    "squads": {"id", "user_id", "name"},
    "squad_members": {"id", "squad_id", "role"},
    "projects": {"id", "squad_id", "name", "status"},
    "tasks": {"id", "project_id", "status", "priority", "created_at"},
    "feedback": {"id", "squad_id", "rating", "withdrawn_at"},
    "usage_metrics": {"id", "squad_id", "metric", "period", "value", "limit_value"},
}


def test_every_name_of_the_guide_has_a_row() -> None:
    assert {code for row in ROWS for code in codes(row[0])} >= NAMES
    assert len(ROWS) >= 50


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_places_and_tests_of_a_row_exist(row: tuple[str, ...]) -> None:
    _, here, test = row
    assert (here == NOT_YET) == (test == NOT_YET)
    if here == NOT_YET:
        return
    places = [code for code in codes(here) if re.fullmatch(r"[\w.]+\.[\w.]+|docs/\S+", code)]
    tests = codes(test)

    assert places
    assert [place for place in places if not exists(place)] == []
    assert tests
    assert missing_tests(tests) == []


def test_models_have_the_columns_of_the_guide() -> None:
    assert {name: wanted - set(Base.metadata.tables[name].columns.keys()) for name, wanted in COLUMNS.items()} == {
        name: set() for name in COLUMNS
    }


def test_verdicts_on_claims_are_what_was_measured() -> None:
    measured = json.loads((ROOT / "bench" / "results" / "claims.json").read_text())
    ratios = {row.what: float(row.median.removesuffix(" x")) for row in claims.rows(measured)}
    told = [here.partition(":")[0] for guide, here, _ in ROWS[-4:]]

    def ratio(*words: str) -> float:
        [found] = [each for what, each in ratios.items() if all(word in what for word in words)]
        return found

    held = [
        ratio("claimed: 10 x") >= 10,
        ratio("statements of", "p50") < 0.1,
        ratio("inserted by one statement") > 1,
        ratio("eagerly") < 1,
    ]
    assert told == ["holds" if each else "does not hold" for each in held]
