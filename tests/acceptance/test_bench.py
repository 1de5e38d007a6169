"""One short iteration of each benchmark, so that none rots."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def run(module: str, output: Path) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-m", module, "--short", "--output", str(output)],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert result.returncode == 0, result.stderr
    return json.loads(output.read_text())


def test_the_way_is_measured(tmp_path):
    results = run("bench", tmp_path / "way.json")

    [one] = results["rounds"]
    assert one["consumer"]["counts"]["outcome"] == results["commands"] == 2_000
    assert one["consumer"]["processor_microseconds"]["consumer"] > 0
    assert one["relay"]["events"] == one["consumer"]["counts"]["event"] + 2_000
    assert all((each.get("commands_per_second") or each["events_per_second"]) > 0 for each in one.values())


def test_inserting_is_measured(tmp_path):
    results = run("bench.inserting", tmp_path / "inserting.json")

    assert set(results["milliseconds"]) == {"an array a column", "an array of rows", "COPY"}
