"""The judgement: every check on the evidence, and what came of it."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Final

from checker import contents, deciding, histories, ordering, parking, publishing, recovering, state
from checker.case import Case
from checker.evidence import Evidence
from checker.faults import Fault, Invariant

EXAMPLES: Final = 5
"""How many examples of a broken invariant are told."""

CHECKS: Final[tuple[Callable[[Case], Iterator[Fault]], ...]] = (
    *histories.CHECKS,
    *deciding.CHECKS,
    *contents.CHECKS,
    *ordering.CHECKS,
    *parking.CHECKS,
    *publishing.CHECKS,
    *recovering.CHECKS,
    *state.CHECKS,
)


class Result(StrEnum):
    """What a judgement ends with; unknown counts as failed."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An invariant that does not hold.

    Args:
        invariant: which one.
        count: how often it is broken.
        examples: some of the places.
    """

    invariant: Invariant
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be said of a run.

    Args:
        result: PASS only if every invariant holds and all evidence was there.
        findings: what does not hold.
        gaps: what evidence is missing, so that nothing can be said.
        seed: by which the run is repeated, if it has one.
    """

    result: Result
    findings: tuple[Finding, ...] = ()
    gaps: tuple[str, ...] = ()
    seed: int | None = None

    def tell(self) -> str:
        """Give the verdict in lines: the result with the seed, what does not hold with examples, what is not known."""
        lines = [self.result if self.seed is None else f"{self.result} (seed {self.seed})"]
        for finding in self.findings:
            lines.append(f"broken {finding.count} times: {finding.invariant}")
            lines += (f"    {example}" for example in finding.examples)
        lines += (f"not known: {gap}" for gap in self.gaps)
        return "\n".join(lines)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong and nothing is unknown."""
        return self.result is Result.PASS


def judge(evidence: Evidence) -> Verdict:
    """Judge a run: pure, over plain data."""
    case = Case(evidence)
    broken: dict[Invariant, list[str]] = defaultdict(list)
    for fault in chain.from_iterable(check(case) for check in CHECKS):
        broken[fault.invariant].append(fault.example)
    findings = tuple(
        Finding(invariant=invariant, count=len(examples), examples=tuple(examples[:EXAMPLES]))
        for invariant, examples in broken.items()
    )
    gaps = tuple(_find_gaps(case))
    result = Result.FAIL if findings else Result.UNKNOWN if gaps else Result.PASS
    return Verdict(result=result, findings=findings, gaps=gaps, seed=evidence.seed)


def _find_gaps(case: Case) -> Iterator[str]:
    """Say what is missing without which silence proves nothing."""
    evidence = case.evidence
    for topic in (evidence.commands, evidence.events, evidence.outcomes, evidence.dead_letters, *evidence.replies):
        for partition, begin in topic.begins.items():
            if begin > 0:
                yield f"the first {begin} records of {topic.name}[{partition}] are deleted"
    if not evidence.commands.records:
        yield "no command was sent"
    if case.tables.held:
        yield f"{len(case.tables.held)} outbox rows are held: nobody knows whether they will be published"
    unknown = state.find_unknown_types(case)
    if unknown:
        yield f"the checker does not know the events {', '.join(sorted(unknown))}"
    yield from recovering.find_gaps(case)
