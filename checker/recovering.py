"""Checks that the service goes on after the faults."""

from collections.abc import Iterator

from checker.case import Case
from checker.faults import Fault, Invariant
from checker.history import Attempt, Status
from messages.outcome import Outcome


def check_goes_on(case: Case) -> Iterator[Fault]:
    """In each partition the next command that was to be applied, acknowledged after the last fault, is applied.

    Where no producer could know what was to be applied, something is.
    """
    later = _sent_after_faults(case)
    if later and not any(_is_applied(case, attempt) for attempt in later):
        yield Fault(Invariant.GOES_ON, f"none of {len(later)} commands sent after the last fault is applied")
        return
    for partition, attempt in _next_to_apply(later).items():
        if not _is_applied(case, attempt):
            yield Fault(Invariant.GOES_ON, f"{attempt.id}, the next command of partition {partition}, is not applied")


def find_gaps(case: Case) -> Iterator[str]:
    """Say whether nothing was tried after the faults."""
    if case.evidence.healed_at is not None and not _sent_after_faults(case):
        yield "nothing was acknowledged after the last fault, so nobody knows whether the service goes on"


def _sent_after_faults(case: Case) -> list[Attempt]:
    healed_at = case.evidence.healed_at
    if healed_at is None:
        return []
    return [
        attempt
        for attempt in case.evidence.history
        if attempt.status is Status.OK and attempt.id is not None and attempt.intended_at >= healed_at
    ]


def _next_to_apply(later: list[Attempt]) -> dict[int, Attempt]:
    """Give, by partition, the first that its producer foresaw to be applied."""
    found: dict[int, Attempt] = {}
    for attempt in sorted(later, key=lambda each: (each.partition or 0, each.offset or 0)):
        if attempt.expected == Outcome.APPLIED and attempt.partition is not None:
            found.setdefault(attempt.partition, attempt)
    return found


def _is_applied(case: Case, attempt: Attempt) -> bool:
    row = case.row_of(attempt)
    return row is not None and row.outcome == Outcome.APPLIED


CHECKS = (check_goes_on,)
