"""The matrix of faults: every invariant has its column, and what was broken shows."""

import json
from collections import Counter
from pathlib import Path

import pytest

from checker.faults import Invariant
from docs.parts import faults

RUN = {
    "name": "a run",
    "seed": 1,
    "result": "PASS",
    "faults": {"relay killed": 20},
    "broken": [],
    "judged": [each.name for each in Invariant],
    "commands": 1500,
    "seconds": 20.0,
}


def _show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *runs: dict[str, object]) -> str:
    results = {
        "machine": "two cores",
        "stack": "a stack",
        "python": "3.11",
        "of": 12,
        "tests": [
            {
                "test": "a test",
                "outcome": "passed",
                "seconds": 60.0,
                "commit": "0123456",
                "date": "2026-05-04",
                "runs": list(runs),
            }
        ],
    }
    path = tmp_path / "faults.json"
    path.write_text(json.dumps(results))
    monkeypatch.setattr(faults, "RESULTS", path)
    return faults.render()


def test_every_invariant_is_in_one_column() -> None:
    assert Counter(each for group in faults.GROUPS.values() for each in group) == Counter(Invariant)


def test_what_held_is_shown_for_each_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _show(tmp_path, monkeypatch, RUN, RUN)

    assert "| relay killed | 40 | 2 |" + 9 * " held |" + " yes |" in shown
    assert "3,000 commands" in shown
    assert "1 of 12 tests have results (1 passed)" in shown


def test_deadlocks_are_shown_where_they_were_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [{**RUN, "deadlocks": 3}, {**RUN, "name": "test_another_run[1]", "deadlocks": 4}, {**RUN, "deadlocks": 0}]

    shown = _show(tmp_path, monkeypatch, RUN, *runs)

    assert "ended 7 transactions because of a deadlock in the 3 runs" in shown
    assert ": 4 in *another run*; 3 in *a run*." in shown
    assert "Deadlocks were not counted." in _show(tmp_path, monkeypatch, RUN)


def test_what_was_broken_and_what_is_unknown_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {**RUN, "result": "FAIL", "broken": [Invariant.GAPLESS]}
    unknown = {**RUN, "result": "UNKNOWN"}

    shown = _show(tmp_path, monkeypatch, RUN, broken, unknown)

    assert "held | **broken in 1** | held | held | **not in 1** |" in shown


def test_what_was_not_judged_is_not_said_to_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _show(tmp_path, monkeypatch, {**RUN, "judged": [Invariant.PUBLISHED.name]})

    assert "| 1 | - | - | - | - | - | held | - | - | - | yes |" in shown


def test_nothing_is_claimed_without_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "RESULTS", tmp_path / "none.json")

    assert "has not been run yet" in faults.render()
