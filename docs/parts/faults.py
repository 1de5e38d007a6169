# ruff: noqa: INP001 - documents are no room, so they are no package either
"""The matrix of faults against invariants, from the results of the last long run."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bench.report import as_table
from checker.faults import Invariant

RESULTS: Final = Path(__file__).parents[2] / "bench" / "results" / "faults.json"

GROUPS: Final[Mapping[str, tuple[Invariant, ...]]] = {
    "sent": (Invariant.ACKNOWLEDGED_KEPT, Invariant.FAILED_ABSENT, Invariant.AS_EXPECTED),
    "decided once": (
        *(Invariant.DECIDED_ONCE, Invariant.ONE_CONTENT, Invariant.CONCLUDED),
        *(Invariant.LETTER_KEPT, Invariant.CHECKPOINT_AT_END),
    ),
    "answered": (Invariant.ANSWERED, Invariant.OUTCOME_STORED, Invariant.REPLIED),
    "waiting": (Invariant.PARKED_KEPT, Invariant.PARKED_IN_ORDER, Invariant.NOT_OVERTAKEN),
    "one effect": (Invariant.EFFECT_ONCE, Invariant.TAKEN_IN_ORDER, Invariant.STATE_REBUILT),
    "published": (Invariant.PUBLISHED, Invariant.NOTHING_ADDED, Invariant.SENT_AS_STORED),
    "in order": (Invariant.ONE_PARTITION, Invariant.ORDER_KEPT, Invariant.GAPLESS, Invariant.VERSION_REACHED),
    "repeats": (Invariant.REPEATED_ALIKE, Invariant.REPEATED_LITTLE),
    "goes on": (Invariant.GOES_ON,),
}
"""The columns: what of the checker's invariants each stands for."""

IN_TIME: Final = "in time"
"""The last column: nothing is UNKNOWN."""

Run = Mapping[str, Any]


def render() -> str:
    """Give the matrix, what its columns mean, and on what it was measured."""
    parts = []
    if RESULTS.exists():
        parts += list(_render_results(json.loads(RESULTS.read_text())))
    else:
        parts.append("`make test-faults` has not been run yet.")
    meanings = [f"- **{name}**: {'; '.join(invariants)}." for name, invariants in GROUPS.items()]
    meanings.append(f"- **{IN_TIME}**: after the faults all is decided and published in time, without anybody's help.")
    return "\n\n".join([*parts, "What the columns stand for:", "\n".join(meanings)])


def _render_results(results: Mapping[str, Any]) -> Iterator[str]:
    tests = results["tests"]
    runs = [run for test in tests for run in test["runs"]]
    outcomes = Counter(test["outcome"] for test in tests)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    commits = ", ".join(dict.fromkeys(test["commit"] for test in tests))
    dates = sorted({test["date"] for test in tests})
    minutes = sum(test["seconds"] for test in tests) / 60
    yield (
        f"{len(tests)} of {results.get('of', 'an unknown number of')} tests have results ({counts}),"
        f" which took {minutes:.0f} minutes:"
        f" {len(runs)} judged runs with {sum(run['commands'] for run in runs):,} commands."
        f" {results['machine']}, {results['stack']}, Python {results['python']},"
        f" commit {commits}, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}."
    )
    yield as_table(["fault", "times", "runs", *GROUPS, IN_TIME], _matrix(runs))
    yield _count_deadlocks(runs)
    yield "Every run with its seeds is in `bench/results/faults.json`."


def _count_deadlocks(runs: list[Run]) -> str:
    """Say how often PostgreSQL ended a transaction because of a deadlock, and in which runs."""
    counted = [run for run in runs if run.get("deadlocks") is not None]
    if not counted:
        return "Deadlocks were not counted."
    met: Counter[str] = Counter()
    for run in counted:
        met[run["name"].partition("[")[0].removeprefix("test_").replace("_", " ")] += run["deadlocks"]
    told = "; ".join(f"{times:,} in *{name}*" for name, times in met.most_common() if times)
    return (
        f"PostgreSQL ended {met.total():,} transactions because of a deadlock in the {len(counted)} runs that counted"
        f" them{told and f': {told}'}. Whoever met one tried again."
    )


def _matrix(runs: list[Run]) -> Iterator[list[str]]:
    for fault in sorted({fault for run in runs for fault in run["faults"]}):
        met = [run for run in runs if run["faults"].get(fault)]
        times = sum(run["faults"][fault] for run in met)
        if met:
            cells = [_cell(met, invariants) for invariants in GROUPS.values()]
            yield [fault, f"{times:,}", str(len(met)), *cells, _cell_of_results(met)]


def _cell(runs: list[Run], invariants: tuple[Invariant, ...]) -> str:
    """Say whether invariants held in all runs that looked at them."""
    judged = [run for run in runs if any(each.name in run["judged"] for each in invariants)]
    broken = sum(any(each in run["broken"] for each in invariants) for run in judged)
    return f"**broken in {broken}**" if broken else "held" if judged else "-"


def _cell_of_results(runs: list[Run]) -> str:
    unknown = sum(run["result"] == "UNKNOWN" for run in runs)
    return f"**not in {unknown}**" if unknown else "yes"
