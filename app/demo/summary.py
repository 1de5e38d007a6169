"""What a demonstration found, as JSON and as a table."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from app.demo.results import Result
from checker.judge import Verdict


def as_json(result: Result) -> dict[str, Any]:
    """Give the summary as one JSON object; times in seconds, `null` where something never came."""
    times, tally, latency = result.times, result.tally, result.latency
    return {
        "verdict": result.verdict.result,
        "findings": [
            {"invariant": finding.invariant, "count": finding.count, "examples": finding.examples}
            for finding in result.verdict.findings
        ],
        "gaps": result.verdict.gaps,
        "sent": tally.sent,
        "sent_by_kind": tally.sent_by_kind,
        "applied": tally.applied,
        "rejected": tally.rejected,
        "duplicates": tally.duplicates,
        "dead_letters": tally.dead_letters,
        "events": tally.events,
        "outcomes": tally.outcomes,
        "outcome_records": tally.outcome_records,
        "commands_per_second": round(times.commands_per_second, 1),
        "readable_commands": times.readable,
        "sending_seconds": round(times.sending_seconds, 3),
        "deciding_seconds": round(times.deciding_seconds, 3),
        "latency": {
            "rate": latency.rate,
            "sent": latency.sent,
            "seen": latency.seen,
            "p50_seconds": _finite(latency.p50_seconds),
            "p99_seconds": _finite(latency.p99_seconds),
            "most_seconds": _finite(latency.most_seconds),
        },
    }


def print_table(result: Result, console: Console) -> None:
    """Print the summary as a table, and the verdict under it."""
    table = Table("what", "how many", "of these", title="Summary", title_justify="left")
    table.columns[1].justify = "right"
    for row in _rows(result):
        table.add_row(*row)
    console.print(table)
    _print_verdict(result.verdict, console)


def _rows(result: Result) -> Iterator[tuple[str, str, str]]:
    times, tally, latency = result.times, result.tally, result.latency
    yield "commands sent", f"{tally.sent:,}", _parts(tally.sent_by_kind)
    yield "applied", f"{tally.applied:,}", ""
    yield "rejected by a rule", f"{sum(tally.rejected.values()):,}", _parts(tally.rejected)
    yield "duplicates", f"{tally.duplicates:,}", "answered with the first outcome's bytes"
    yield "dead letters", f"{sum(tally.dead_letters.values()):,}", _parts(tally.dead_letters)
    yield "events", f"{tally.events:,}", ""
    yield "outcomes", f"{tally.outcomes:,}", f"{tally.outcome_records:,} records with the repeats for duplicates"
    took = f"{times.deciding_seconds:.2f} s to the last commit, {times.sending_seconds:.2f} s of it sending"
    yield "commands/s", f"{times.commands_per_second:,.0f}", f"{times.readable:,} readable ones in {took}"
    yield (
        "latency p50, p99",
        f"{_milliseconds(latency.p50_seconds)}, {_milliseconds(latency.p99_seconds)}",
        f"to event readable, {latency.sent:,} at {latency.rate:g}/s; longest {_milliseconds(latency.most_seconds)}",
    )


def _print_verdict(verdict: Verdict, console: Console) -> None:
    for finding in verdict.findings:
        console.print(f"[red]broken {finding.count} times:[/red] {finding.invariant}", highlight=False)
        for example in finding.examples:
            console.print(f"    {example}", highlight=False, markup=False)
    for gap in verdict.gaps:
        console.print(f"[yellow]not known:[/yellow] {gap}", highlight=False)
    if verdict.passed:
        console.print("[green]PASS[/green]: nothing missing, nothing doubled, nothing out of sequence")
    else:
        console.print(f"[red]{verdict.result}[/red]")


def _parts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _milliseconds(seconds: float) -> str:
    return "never" if math.isinf(seconds) else f"{seconds * 1000:.1f} ms"


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else round(seconds, 6)
