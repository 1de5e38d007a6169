"""What the runs of a test came to, kept until whoever records them asks."""

from collections.abc import Mapping
from dataclasses import dataclass

from checker.faults import Invariant
from checker.judge import Verdict

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
        judged: names of the invariants that were looked at; all, if absent.
        commands: how many were sent, repeats included.
        seconds: how long it took.
        deadlocks: how many transactions PostgreSQL ended because of one; absent: nobody asked, or could.
    """

    name: str
    seed: int
    result: str
    faults: Mapping[str, int]
    broken: tuple[str, ...] = ()
    judged: tuple[str, ...] = tuple(each.name for each in Invariant)
    commands: int = 0
    seconds: float = 0
    deadlocks: int | None = None


def note_run(run: Run) -> None:
    """Keep a run for the results.

    Raises:
        KeyError: there is no such invariant.
    """
    for name in run.judged:
        _ = Invariant[name]
    _runs.append(run)


def note_verdict(
    name: str, verdict: Verdict, faults: Mapping[str, int], *, seed: int, commands: int, deadlocks: int | None = None
) -> None:
    """Keep what the checker said of records that were applied by hand (`tests.judging`).

    Args:
        name: of the test.
        verdict: on the run; nothing was sent after its faults, and nobody counted what broke.
        faults, seed, commands, deadlocks: as in a run.
    """
    note_run(
        Run(
            name=name,
            seed=seed,
            result=verdict.result,
            faults=faults,
            broken=tuple(finding.invariant for finding in verdict.findings),
            judged=tuple(each.name for each in Invariant if each not in {Invariant.GOES_ON, Invariant.REPEATED_LITTLE}),
            commands=commands,
            deadlocks=deadlocks,
        )
    )


def take_runs() -> list[Run]:
    """Give the runs since this was asked last."""
    taken, _runs[:] = list(_runs), []
    return taken
