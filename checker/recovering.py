"""Checks that the service goes on after the faults."""

from collections.abc import Iterator

from checker.case import Case
from checker.faults import Fault, Invariant
from checker.history import Attempt, Status
from messages.outcome import Outcome


def check_goes_on(case: Case) -> Iterator[Fault]:
    """Of what was acknowledged after the last fault something is applied."""
    later = _sent_after_faults(case)
    if later and not any(_is_applied(case, attempt) for attempt in later):
        yield Fault(Invariant.GOES_ON, f"none of {len(later)} commands sent after the last fault is applied")


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


def _is_applied(case: Case, attempt: Attempt) -> bool:
    row = case.row_of(attempt)
    return row is not None and row.outcome == Outcome.APPLIED


CHECKS = (check_goes_on,)
