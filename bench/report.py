"""Results as JSON, and the lines of the tables that the documents show: generated, never typed."""

import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

import asyncpg
import psutil
from sqlalchemy import make_url

from stack import Stack
from stack.jars import kafka_version

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "results"
GENERATED: Final = ("bench/results", "README.md", "docs/benchmarks.md", "docs/faults.md")
"""What a run writes; it may differ from the commit that was measured."""

SETTINGS: Final = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "wal_level")
"""Of PostgreSQL, as it was measured."""

HEAD: Final = ("what", "measured", "beside it", "median", "worst", "target", "met")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table of measurements, as it is shown.

    Args:
        what: what was measured, in words.
        measured: the figure itself, with its unit.
        beside: the same of what ran beside it; a dash where nothing did.
        median, worst: what the target speaks of, of all rounds.
        target: what is wanted; a dash where nothing was promised.
        met: whether the median meets it; `None` where nothing was promised.
    """

    what: str
    measured: str
    beside: str = "-"
    median: str = "-"
    worst: str = "-"
    target: str = "-"
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """Give what stands in each column of `HEAD`."""
        verdict = "-" if self.met is None else "yes" if self.met else "**no**"
        return (self.what, self.measured, self.beside, self.median, self.worst, self.target, verdict)


def at_least(
    what: str, ours: Sequence[float], theirs: Sequence[float], target: float | None, *, form: str = "{:,.0f}/s"
) -> Row:
    """Give the line of rates and their ratios, paired within a round; more is better."""
    ratios = [one / two for one, two in zip(ours, theirs, strict=True)]
    return _compared(what, ours, theirs, median(ratios), min(ratios), target, form, is_least=True)


def at_most(
    what: str, ours: Sequence[float], theirs: Sequence[float], target: float | None, *, form: str = "{:,.1f} ms"
) -> Row:
    """Give the line of costs and their ratios, paired within a round; less is better."""
    ratios = [one / two for one, two in zip(ours, theirs, strict=True)]
    return _compared(what, ours, theirs, median(ratios), max(ratios), target, form, is_least=False)


def limited(what: str, values: Sequence[float], target: float, *, form: str) -> Row:
    """Give the line of figures that have a limit of their own."""
    return Row(
        what=what,
        measured=form.format(median(values)),
        median=form.format(median(values)),
        worst=form.format(max(values)),
        target=f"≤ {form.format(target)}",
        met=median(values) <= target,
    )


def _compared(
    what: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    middle: float,
    worst: float,
    target: float | None,
    form: str,
    *,
    is_least: bool,
) -> Row:
    sign = "≥" if is_least else "≤"
    return Row(
        what=what,
        measured=form.format(median(ours)),
        beside=form.format(median(theirs)),
        median=f"{middle:.2f} x",
        worst=f"{worst:.2f} x",
        target="-" if target is None else f"{sign} {target:g} x",
        met=None if target is None else (middle >= target if is_least else middle <= target),
    )


def markdown(rows: Iterable[Row]) -> str:
    """Give the table of these lines."""
    return as_table(HEAD, [row.cells() for row in rows])


def as_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Give any table."""
    marks = "|" + "---|" * len(head)
    return "\n".join([f"| {' | '.join(head)} |", marks, *(f"| {' | '.join(line)} |" for line in lines)])


def medians(rounds: Sequence[dict[str, float]]) -> str:
    """Give a table of one line: the median of each name over the rounds."""
    return as_table(list(rounds[0]), [[f"{median(each[name] for each in rounds):.1f}" for name in rounds[0]]])


async def circumstances(stack: Stack, seed: int) -> dict[str, Any]:
    """Say on what and with what it was measured."""
    settings = await _postgres_settings(stack)
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD") or None,
        "changed": is_changed(),
        "seed": seed,
        "stack": stack.description.partition(";")[0],
        "postgres": settings["server_version"],
        "settings": {
            **{f"PostgreSQL {name}": value for name, value in settings.items() if name != "server_version"},
            "Kafka acks": "all",
            "Kafka replication factor": 1,
        },
        "python": sys.version.split()[0],
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB",
        "versions": {
            **{name: version(name) for name in ("aiokafka", "asyncpg", "sqlalchemy", "pydantic")},
            # What answers elsewhere does not say which one it is.
            **({"Kafka": kafka_version()} if stack.kind == "local" else {}),
        },
    }


def is_changed() -> bool:
    """Tell whether what runs differs from its commit."""
    return bool(git("status", "--porcelain", "--", ".", *(f":!{each}" for each in GENERATED)))


def git(*arguments: str) -> str:
    """Ask git something; nothing where there is none."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S607
    return done.stdout.strip()


async def _postgres_settings(stack: Stack) -> dict[str, str]:
    connection = await asyncpg.connect(bare_url(stack.database_url))
    try:
        return {name: str(await connection.fetchval(f"SHOW {name}")) for name in SETTINGS}
    finally:
        await connection.close()


def bare_url(database_url: str) -> str:
    """Give SQLAlchemy's address of a database as the bare driver takes it."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


def said_of(results: dict[str, Any]) -> str:
    """Give one line of the circumstances."""
    parts = [
        results["machine"],
        results["stack"],
        f"PostgreSQL {results['postgres']}",
        f"Python {results['python']}",
        *(f"{name} {value}" for name, value in results.get("settings", {}).items()),
        *(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in results.get("sizes", {}).items()),
        *(f"{name} {_shown(value)}" for name, value in _plain(results.get("load", {}))),
        f"seed {results['seed']}",
        f"commit {commit_of(results)}",
    ]
    return ", ".join(parts) + "."


def _plain(load: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Leave out tables: a program's details show them as such."""
    return [(name, value) for name, value in load.items() if not isinstance(value, dict)]


def commit_of(results: dict[str, Any]) -> str:
    """Give the commit that was measured, and whether it was changed."""
    return (results["commit"] or "unknown")[:10] + (" with changes" if results.get("changed") else "")


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def load(name: str) -> dict[str, Any] | None:
    """Read a program's results; `None` when it was not run yet."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def save(results: dict[str, Any], path: Path) -> None:
    """Write results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
