"""What pytest is told to do with the long tier: say how long it takes, tell each step, and keep the results."""

import json
import os
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from time import monotonic
from typing import Any, Final

import psutil
import pytest

import stack
from bench import report
from tests.faults.results import Run, take_runs

ROOT: Final = Path(__file__).parents[2]
FAULTS: Final = ROOT / "tests" / "faults"
RESULTS: Final = ROOT / "bench" / "results" / "faults.json"

UNKNOWN_SECONDS: Final = 30.0
"""What a test takes of which nothing is known yet."""


class Recorder:
    """A plugin of pytest.

    Args:
        path: where the results go; nowhere, if absent.
        before: the results of an earlier run, which say how long each test takes.
        is_part: whether only some tests run, so that the results of the others stay.
    """

    def __init__(self, *, path: Path | None, before: dict[str, Any], is_part: bool) -> None:
        self._path = path
        self._kept: list[dict[str, Any]] = before.get("tests", []) if is_part else []
        self._known = {each["test"]: each["seconds"] for each in before.get("tests", ())}
        self._where = before.get("machine", "nowhere yet")
        self._began = monotonic()
        self._left: dict[str, float] = {}
        self._total = 0
        self._all: set[str] = set()
        self._tests: list[dict[str, Any]] = []
        self._seconds = 0.0
        self._commit = _commit()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Choose the long tier, and of the short one what hurts a whole service: some of it is in no other."""
        chosen = [each for each in items if each.get_closest_marker("long_faults") or FAULTS in each.path.parents]
        config.hook.pytest_deselected(items=[each for each in items if each not in set(chosen)])
        items[:] = chosen
        # Before anybody else chooses among them.
        self._all = {each.nodeid for each in chosen}
        self._kept = [each for each in self._kept if each["test"] in self._all]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say how long it will take."""
        self._left = {item.nodeid: self._expect(item.nodeid) for item in session.items}
        self._total = len(self._left)
        unknown = len(self._left.keys() - self._known.keys())
        minutes = sum(self._left.values()) / 60
        print(  # noqa: T201 - for whoever waits
            f"\n{self._total} tests, about {minutes:.0f} minutes: as long as they took on {self._where},"
            f" {UNKNOWN_SECONDS:g} s or as long as others of its kind for each of {unknown} of which that is not known",
            flush=True,
        )

    def _expect(self, test: str) -> float:
        """Give the seconds that a test took, or the same with other arguments."""
        function = test.partition("[")[0]
        known = [seconds for name, seconds in self._known.items() if name.partition("[")[0] == function]
        return self._known.get(test, fmean(known) if known else UNKNOWN_SECONDS)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell that a test has ended, and keep what its runs came to."""
        self._seconds += report.duration
        if report.when != "teardown" and report.passed:
            return
        if report.when == "teardown" and report.nodeid not in self._left:
            return
        self._left.pop(report.nodeid, None)
        self._keep(report.nodeid, report.outcome, take_runs())
        self._seconds = 0.0

    def _keep(self, test: str, outcome: str, runs: list[Run]) -> None:
        self._tests.append(
            {
                "test": test,
                "outcome": outcome,
                "seconds": round(self._seconds, 1),
                "commit": self._commit,
                "date": datetime.now(UTC).date().isoformat(),
                "runs": [asdict(run) for run in runs],
            }
        )
        self._write()
        told = ", ".join(f"seed {run.seed} {run.result} {dict(run.faults)}" for run in runs)
        print(  # noqa: T201 - for whoever waits
            f"\n{monotonic() - self._began:.0f} s: {len(self._tests)} of {self._total}, {outcome}: {test} {told};"
            f" about {sum(self._left.values()) / 60:.0f} minutes left",
            flush=True,
        )

    def _write(self) -> None:
        """Write the results so far: hours may be lost otherwise."""
        if self._path is not None:
            self._path.write_text(json.dumps(self._describe(), indent=1) + "\n")

    def _describe(self) -> dict[str, Any]:
        done = {each["test"] for each in self._tests}
        return {
            "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB",
            "stack": stack.choose(os.environ).line.partition(";")[0],
            "python": sys.version.split()[0],
            "of": len(self._all),
            "tests": [*(each for each in self._kept if each["test"] not in done), *self._tests],
        }


def _commit() -> str:
    """Give the commit that is tried, and whether it was changed; results and pages do not count."""
    return report.commit_of({"commit": report.git("rev-parse", "HEAD"), "changed": report.is_changed()})
