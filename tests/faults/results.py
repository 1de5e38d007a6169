"""What the runs of a session came to, written as JSON where the environment asks for it."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from checker.faults import Invariant

RESULTS: Final = "FAULTS_RESULTS"
"""The variable that names the file."""

_runs: list["Run"] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of a run.

    Args:
        name: of the test.
        seed: of everything that was left to chance.
        result: PASS, FAIL or UNKNOWN.
        faults: how many there were, by kind.
        broken: invariants that did not hold.
        commands: how many were sent, repeats included.
        seconds: how long it took.
    """

    name: str
    seed: int
    result: str
    faults: Mapping[str, int]
    broken: tuple[str, ...] = ()
    commands: int = 0
    seconds: float = 0


def note_run(run: Run) -> None:
    """Keep a run for the results."""
    _runs.append(run)


def write_results() -> None:
    """Write all runs to the file that the environment names, if it does."""
    path = os.environ.get(RESULTS)
    if path is None or not _runs:
        return
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    result = {
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "invariants": [str(each) for each in Invariant],
        "runs": [asdict(run) for run in _runs],
    }
    Path(path).write_text(json.dumps(result, indent=2) + "\n")
