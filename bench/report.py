"""Results as JSON, and as the tables that README shows: generated, never typed."""

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"
WAY = RESULTS / "way.json"

TARGETS = (
    ("consumer", "guide", "commands applied, beside the guide's own pattern", 60.0),
    ("consumer", "limit", "commands applied, beside the same rows by hand-made `unnest`", 0.5),
    ("relay", "bare send", "events relayed, beside bare `send()`", 1.8),
    ("relay", "bare send_batch", "events relayed, beside bare `send_batch()`", 0.4),
)
"""Contender, what runs beside it, in words, and the ratio wanted."""


def circumstances(seed: int, postgres: str, description: str) -> dict[str, Any]:
    """Say on what and with what it was measured."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or None,
        "seed": seed,
        "stack": description.partition(";")[0],
        "postgres": postgres,
        "python": sys.version.split()[0],
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB",
        "versions": {name: version(name) for name in ("aiokafka", "asyncpg", "sqlalchemy", "pydantic")},
    }


def rates(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, list[float]]:
    """Give each contender's rate in each round."""
    found: dict[str, list[float]] = {}
    for each in rounds:
        for name, result in each.items():
            found.setdefault(name, []).append(result.get("commands_per_second") or result["events_per_second"])
    return found


def table(results: dict[str, Any]) -> str:
    """Give the ratios beside their targets, as Markdown; median and worst of the rounds, paired within a round."""
    measured = rates(results["rounds"])
    lines = ["| what | rate | beside it | ratio (median) | worst | target |", "|---|---|---|---|---|---|"]
    for contender, other, words, target in TARGETS:
        ratios = [one / two for one, two in zip(measured[contender], measured[other], strict=True)]
        lines.append(
            f"| {words} | {median(measured[contender]):,.0f}/s | {median(measured[other]):,.0f}/s"
            f" | {median(ratios):.2f} | {min(ratios):.2f} | ≥ {target:g} |"
        )
    return "\n".join(lines)


def phases(results: dict[str, Any]) -> str:
    """Give microseconds of wall time per command by phase, of the runs with one lane, as Markdown."""
    return _medians([each["consumer, one lane"]["microseconds"] for each in results["rounds"]])


def processors(results: dict[str, Any]) -> str:
    """Give microseconds of processor time per command, by who spent them, of the runs with two lanes, as Markdown."""
    return _medians([each["consumer"]["processor_microseconds"] for each in results["rounds"]])


def _medians(rounds: list[dict[str, float]]) -> str:
    names = rounds[0].keys()
    values = " | ".join(f"{median(each[name] for each in rounds):.1f}" for name in names)
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n| {values} |"


def load(path: Path = WAY) -> dict[str, Any]:
    """Read results."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def save(results: dict[str, Any], path: Path) -> None:
    """Write results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
