"""Counts of a run, taken from the evidence alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from checker.case import Case
from checker.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How much of everything there was.

    Args:
        sent: records on the commands topic.
        sent_by_kind: attempts by the producer's own words.
        applied: commands.
        rejected: commands, by code.
        duplicates: records whose command had been decided before.
        dead_letters: records, by reason.
        events, outcomes: different messages on the topics.
        outcome_records: outcomes with their repeats for duplicates.
    """

    sent: int
    sent_by_kind: Mapping[str, int]
    applied: int
    rejected: Mapping[str, int]
    duplicates: int
    dead_letters: Mapping[str, int]
    events: int
    outcomes: int
    outcome_records: int


def count(evidence: Evidence) -> Tally:
    """Count what was sent and what became of it."""
    case = Case(evidence)
    inbox = case.tables.inbox
    return Tally(
        sent=len(case.commands),
        sent_by_kind=_sorted(Counter(attempt.kind for attempt in case.evidence.history)),
        applied=sum(row.outcome == "applied" for row in inbox),
        rejected=_sorted(Counter(row.code or "" for row in inbox if row.outcome == "rejected")),
        duplicates=sum(len(places) - 1 for places in case.answerable.values()),
        dead_letters=_sorted(Counter(letter.reason for letter in case.tables.letters)),
        events=len(case.events.first),
        outcomes=len(case.outcomes.first),
        outcome_records=len(case.evidence.outcomes.records),
    )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
