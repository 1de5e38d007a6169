"""What verbs print for people: ids that can be copied, values that can be read."""

import pytest

from app.cli.output import print_fields, print_rows

ID = "7053653c-8f2a-5aad-8bff-9d5db89ea29c"


@pytest.mark.parametrize("name", ["id", "example", "stream", "behind"])
def test_id_that_the_next_verb_needs_stays_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    others = {f"column {number}": "a text that is long enough to need the room" for number in range(5)}

    print_rows([{name: ID} | others], as_json=False)

    assert ID in capsys.readouterr().out


def test_row_is_a_line_where_nobody_has_a_width(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{f"column {number}": "a text that takes some room" for number in range(20)}], as_json=False)

    assert len(capsys.readouterr().out.splitlines()) == 5, "the head, the row, and the frame"


def test_what_has_parts_is_told_as_json_and_what_there_is_not_as_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"became": {"redriven": 1}, "parked": [], "until": None, "name": "Zoë"})

    assert capsys.readouterr().out.splitlines() == ['became  {"redriven": 1}', "parked  []", "until", "name    Zoë"]
