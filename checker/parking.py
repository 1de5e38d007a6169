"""Checks what waits behind dead letters: that it is kept, in order, and that nothing of its stream overtook it."""

from collections import defaultdict
from collections.abc import Iterator

from checker.case import Case
from checker.evidence import ParkedRow, Place
from checker.faults import Fault, Invariant
from messages.outcome import PROVISIONAL, Outcome


def check_parked_kept(case: Case) -> Iterator[Fault]:
    """A command whose outcome is `parked` stands in its parked stream, and nothing else stands in any."""
    waiting = defaultdict(set)
    for parked in case.tables.parked:
        waiting[parked.place].add(parked.stream)
    for row in case.tables.inbox:
        streams = waiting.pop(row.place, set())
        if row.outcome == Outcome.PARKED and row.key not in streams:
            yield Fault(Invariant.PARKED_KEPT, f"{row.identity}: parked, and not in its stream {row.key}")
        elif row.outcome != Outcome.PARKED and streams:
            yield Fault(Invariant.PARKED_KEPT, f"{row.identity}: {row.outcome}, and parked in {', '.join(streams)}")
    for place in waiting:
        yield Fault(Invariant.PARKED_KEPT, f"{place} is parked, and no command was decided from it")


def check_parked_in_order(case: Case) -> Iterator[Fault]:
    """A stream's records wait in the order of their partition, numbered without gaps."""
    for stream, parked in _by_stream(case).items():
        last: dict[int, Place] = {}
        for number, each in enumerate(parked, parked[0].number):
            before = last.get(each.place.partition)
            if each.number != number:
                yield Fault(Invariant.PARKED_IN_ORDER, f"{stream}: number {number} is missing")
                break
            if before is not None and each.place < before:
                yield Fault(Invariant.PARKED_IN_ORDER, f"{stream}: {each.place} waits behind {before}")
            last[each.place.partition] = each.place


def check_not_overtaken(case: Case) -> Iterator[Fault]:
    """Of a stream that waits, nothing is decided that stands behind what waits, in its partition.

    Only commands whose own key is the stream's: where others stand, their own key says. A dead letter whose command is
    decided is on its way to be applied with all that waits.
    """
    first: dict[tuple[str, int], Place] = {}
    letters = {letter.id: letter for letter in case.tables.letters}
    for stream, letter_id in case.tables.parked_streams.items():
        letter = letters.get(letter_id)
        if letter is None or letter.key != stream.encode():
            continue
        identity = case.identities.get(letter.place)
        row = None if identity is None else case.inbox.get(identity)
        if row is not None and not row.final:
            first[stream, letter.place.partition] = letter.place
    for parked in case.tables.parked:
        record = case.commands.get(parked.place)
        if record is not None and record.key == parked.stream.encode():
            key = (parked.stream, parked.place.partition)
            first[key] = min(first.get(key, parked.place), parked.place)
    for row in case.tables.inbox:
        waits = first.get((row.key, row.place.partition))
        if waits is not None and row.place > waits and row.outcome not in PROVISIONAL:
            yield Fault(Invariant.NOT_OVERTAKEN, f"{row.identity} at {row.place}: {row.outcome}, before {waits}")


def _by_stream(case: Case) -> dict[str, list[ParkedRow]]:
    found: dict[str, list[ParkedRow]] = defaultdict(list)
    for each in sorted(case.tables.parked, key=lambda each: (each.stream, each.number)):
        found[each.stream].append(each)
    return found


CHECKS = (check_parked_kept, check_parked_in_order, check_not_overtaken)
