"""The page of hazards: each has a defence, a test and a line for the operator, and what it names is there."""

import re
from collections import Counter

import pytest

from tests.places import ROOT, codes, exists, missing_tests, rows_below
from tests.unit.docs.test_links import find_broken

PAGE = ROOT / "docs" / "hazards.md"
NOT_YET = "not yet"
ROWS = rows_below(PAGE.read_text(), "hazard")
HAZARDS = {
    "aiokafka, consumer": 14,
    "aiokafka, producer": 7,
    "asyncpg and SQLAlchemy": 12,
    "PostgreSQL, as the outbox uses it": 7,
    "What a batch may meet": 10,
}
"""So many there are at least; one that is no hazard any more is taken out here too."""


def test_every_hazard_has_its_row() -> None:
    sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]

    assert {each.partition("\n")[0]: len(rows_below(each, "hazard")) for each in sections}.items() >= HAZARDS.items()
    assert [hazard for hazard, count in Counter(row[0] for row in ROWS).items() if count > 1] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_places_tests_and_lines_of_a_row_exist(row: tuple[str, ...]) -> None:
    _, defence, test, operator = row
    places = [code for code in codes(defence) if re.fullmatch(r"\w+(\.\w+)+|[\w-]+(/[\w.-]+)+", code)]

    assert places or NOT_YET in defence
    assert [place for place in places if not exists(place)] == []
    assert codes(test) or NOT_YET in test
    assert missing_tests(codes(test)) == []
    assert re.findall(r"\]\([\w-]+\.md#[\w-]+\)", operator) or NOT_YET in operator
    assert find_broken(PAGE, operator) == []


def test_what_is_not_there_is_found() -> None:
    assert [exists(each) for each in ("docs/hazards.md", "pyproject.toml", "db.errors", "db.errors.Failure.CLASH")] == [
        True
    ] * 4
    assert [
        exists(each) for each in ("docs/nothing.md", "db.nothing", "db.errors.Nothing", "db.errors.Failure.NO")
    ] == [False] * 4
    absent = ["tests/unit/docs/test_hazards.py::test_nothing", "tests/nothing.py::test_nothing"]
    assert missing_tests([*absent, "tests/unit/docs/test_hazards.py::test_what_is_not_there_is_found"]) == absent
