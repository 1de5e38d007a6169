"""Checks what the producers know against what became of it."""

from collections import Counter
from collections.abc import Iterator

from checker.case import Case
from checker.evidence import Identity, Place
from checker.faults import Fault, Invariant
from checker.history import Attempt, Status, key_text


def check_acknowledged(case: Case) -> Iterator[Fault]:
    """What the broker acknowledged is where it said, and is what was sent."""
    for attempt in case.evidence.history:
        place = _place(attempt)
        if place is None:
            continue
        record = case.commands.get(place)
        if record is None:
            yield Fault(Invariant.ACKNOWLEDGED_KEPT, f"{attempt} is not at {place}")
        elif attempt.id is not None and record.header("ce_id") != attempt.id:
            yield Fault(Invariant.ACKNOWLEDGED_KEPT, f"at {place} is not {attempt.id} but {record.header('ce_id')}")
        elif key_text(record.key) != attempt.key:
            yield Fault(Invariant.ACKNOWLEDGED_KEPT, f"at {place} the key is not {attempt.key} but {record.key!r}")


def check_failed(case: Case) -> Iterator[Fault]:
    """What surely was not sent is not there, unless another attempt brought it."""
    sent = {_identity(each) for each in case.evidence.history if each.status is not Status.FAILED}
    there = set(case.identities.values())
    for attempt in case.evidence.history:
        identity = _identity(attempt)
        if attempt.status is Status.FAILED and identity not in sent and identity in there:
            yield Fault(Invariant.FAILED_ABSENT, f"{attempt}: {identity}")


def check_expected(case: Case) -> Iterator[Fault]:
    """Where the producer could know what would become of a command, that is what became of it.

    A record whose acknowledgement was never heard may be there, and then it counts like any other.
    """
    attempts = Counter(map(_identity, case.evidence.history))
    for attempt in case.evidence.history:
        place = _place(attempt)
        if place is None and attempts[_identity(attempt)] == 1:
            place = _place_unheard_of(case, attempt)
        if place is not None and attempt.expected is not None:
            found = _fate(case, place)
            if found != attempt.expected:
                yield Fault(Invariant.AS_EXPECTED, f"{attempt.id} at {place}: {attempt.expected} became {found}")


def _fate(case: Case, place: Place) -> str | None:
    """Say what became of a record: its own dead letter if it has one, else its command's outcome."""
    for letter in case.letters.get(place, ()):
        return f"dead-lettered:{letter.reason}"
    identity = case.identities.get(place)
    row = None if identity is None else case.inbox.get(identity)
    if row is None:
        return None
    return row.outcome if row.code is None else f"{row.outcome}:{row.code}"


def _place(attempt: Attempt) -> Place | None:
    if attempt.status is not Status.OK or attempt.partition is None or attempt.offset is None:
        return None
    return Place(attempt.partition, attempt.offset)


def _place_unheard_of(case: Case, attempt: Attempt) -> Place | None:
    """Give where the first record of a command is whose only attempt ended in nobody knows what."""
    if attempt.status not in {Status.INVOKED, Status.UNKNOWN}:
        return None
    identity = _identity(attempt)
    return None if identity is None else next(iter(case.places.get(identity, ())), None)


def _identity(attempt: Attempt) -> Identity | None:
    return None if attempt.source is None or attempt.id is None else Identity(attempt.source, attempt.id)


CHECKS = (check_acknowledged, check_failed, check_expected)
