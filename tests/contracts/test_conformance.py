"""Every demand of CloudEvents has its row in docs/cloudevents.md, and every row its test."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cloudevents.md").read_text()

DEMANDS = {
    # Kafka protocol binding 1.0.2, without 1.1, which says what the words mean
    "K 1.3": 3,
    "K 1.4": 1,
    "K 3.1": 4,
    "K 3.2.1": 1,
    "K 3.2.2": 1,
    "K 3.2.3": 2,
    "K 3.3.1": 1,
    # JSON event format 1.0.2
    "J 2": 1,
    "J 2.2": 4,
    "J 3": 2,
    "J 3.1.1": 6,
    "J 3.1.2": 4,
    "J 4": 1,
    "J 4.2": 1,
    # Specification 1.0.2
    "S overview": 2,
    "S context attributes": 1,
    "S attribute naming convention": 1,
    "S type system": 7,
    "S required attributes": 1,
    "S id": 4,
    "S source": 4,
    "S specversion": 3,
    "S type": 2,
    "S datacontenttype": 1,
    "S dataschema": 1,
    "S subject": 1,
    "S time": 2,
    "S extension context attributes": 1,
    "S size limits": 1,
}
"""How many demands each section makes: MUST, MUST NOT, REQUIRED."""

NOT_OURS = {
    *("K 1.3 (3)", "J 2.2 (3)", "J 2.2 (4)", "S source (2)", "S size limits (1)"),
    *(f"J 3.1.1 ({number})" for number in range(1, 7)),
}
"""Demands on others: old brokers, authors of extensions, writers of JSON events, intermediaries."""

ROWS = {
    cells[0]: cells
    for line in PAGE.splitlines()
    if re.match(r"\| [KJS] ", line)
    for cells in [[cell.strip() for cell in line.strip("|").split(" | ")]]
}
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def test_every_demand_has_its_row():
    assert set(ROWS) == {
        f"{section} ({number})" for section, count in DEMANDS.items() for number in range(1, count + 1)
    }
    assert len(re.findall(r"^\| [KJS] ", PAGE, re.M)) == len(ROWS), "a row comes twice"


@pytest.mark.parametrize("number", sorted(ROWS))
def test_every_row_names_its_test_or_says_whose_it_is(number):
    _, demand, here, *test = ROWS[number]

    assert demand
    if number in NOT_OURS:
        assert here.startswith("not ours: ")
    else:
        assert not here.startswith("not ours")
        assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", test[0])


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_that_the_page_names_exists(path, name):
    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.M)
