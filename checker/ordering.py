"""Checks each stream's history of commands, as its events tell it, against the order of the commands on their topic."""

from collections.abc import Iterator

from checker.case import Case
from checker.evidence import InboxRow, OutboxRow
from checker.faults import Fault, Invariant


def check_taken_in_order(case: Case) -> Iterator[Fault]:
    """Commands of a key take effect in the order in which they stand in their partition.

    Only those whose own key is the stream's: a command that writes another stream besides stands wherever its own key
    puts it. A redriven dead letter takes effect when it is redriven; what waited behind it keeps its order.
    """
    causes = {event_id: row for row in case.tables.inbox for event_id in row.event_ids}
    last: dict[tuple[str, int], InboxRow] = {}
    for stream, event in _events_by_number(case):
        row = causes.get(event.event_id)
        if row is None or row.key != stream or (row.revision > 1 and row.place in case.letters):
            continue
        before = last.get((stream, row.place.partition))
        if before is not None and row.place < before.place:
            yield Fault(
                Invariant.TAKEN_IN_ORDER,
                f"{stream}: {row.identity.id} at {row.place} took effect after {before.identity.id} at {before.place}",
            )
        last[stream, row.place.partition] = row


def _events_by_number(case: Case) -> Iterator[tuple[str, OutboxRow]]:
    events = [rows[0] for rows in case.events.rows.values()]
    for event in sorted(events, key=lambda each: (each.key or b"", each.sequence or 0, each.position)):
        yield (event.key or b"").decode(errors="replace"), event


CHECKS = (check_taken_in_order,)
