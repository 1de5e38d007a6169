"""The generated parts of the documents are what the code says now."""

import re
from collections import Counter
from pathlib import Path

import pytest

from docs import generate
from docs.parts import command_line
from docs.parts.causes import causes_of
from domain.commands import ReopenTask, TransferSquadOwnership
from domain.rejections import Code
from domain.tables import RULES

PAGES = generate.pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_parts_are_current(page: Path) -> None:
    text = page.read_text()

    assert generate.renew(text) == text, "run `python -m docs.generate`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_mark_has_its_end(page: Path) -> None:
    text = page.read_text()

    assert len(re.findall(r"^<!-- (?:generated|end)\b", text, re.MULTILINE)) == 2 * len(generate.names(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_shows_how_the_program_names_its_classes(page: Path) -> None:
    assert "<class" not in page.read_text()


def test_allowed_values_are_listed_where_there_are_some_and_only_there() -> None:
    told = command_line.render()

    assert re.search(r"^\| `--then` .* One of `hold`, `release`\. \|$", told, re.MULTILINE)
    assert re.search(r"^\| `--state` .* default: open and redriving\. \|$", told, re.MULTILINE)
    assert re.search(r"^\| `PARTITION…` .* Their numbers\. \|$", told, re.MULTILINE)


def test_every_part_stands_on_one_page() -> None:
    standing = Counter(name for page in PAGES for name in generate.names(page.read_text()))

    assert standing == Counter(generate.PARTS.keys())


def test_a_part_that_is_not_current_is_written_anew_and_nothing_else() -> None:
    page = "before\n\n<!-- generated: settings -->\nold\n<!-- end: settings -->\n\nafter\n"

    renewed = generate.renew(page)

    assert "SQUAD_LANES" in renewed
    assert "\nold\n" not in renewed
    assert renewed.startswith("before\n\n<!-- generated: settings -->\n")
    assert renewed.endswith("<!-- end: settings -->\n\nafter\n")
    assert generate.renew(renewed) == renewed


def test_an_unknown_part_is_an_error() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        generate.renew("<!-- generated: nonsense -->\n<!-- end: nonsense -->\n")


def test_codes_of_a_handler_are_found_through_what_it_calls() -> None:
    causes = causes_of(RULES[TransferSquadOwnership])

    assert causes.codes == [
        Code.SQUAD_NOT_FOUND,
        Code.SQUAD_DISBANDED,
        Code.SAME_OWNER,
        Code.USER_NOT_FOUND,
        Code.USER_INACTIVE,
    ]
    assert [event.__name__ for event in causes.events] == ["SquadOwnershipTransferred"]


def test_codes_of_a_state_machine_are_found_where_a_handler_asks_it() -> None:
    assert causes_of(RULES[ReopenTask]).codes[-2:] == [
        Code.CANNOT_REOPEN_PENDING_TASK,
        Code.CANNOT_REOPEN_IN_PROGRESS_TASK,
    ]
