"""Checks what the relay published: all of the outbox, nothing else, in order for each key."""

from collections import defaultdict
from collections.abc import Iterator

from checker.case import Case, Published
from checker.evidence import OutboxRow, TopicRecord
from checker.faults import Fault, Invariant


def check_published(case: Case) -> Iterator[Fault]:
    """Every row is on its topic as often as the outbox has it, at least, if it is not held; every record is a row's."""
    absent = case.tables.absent
    for letter_id in case.diverted - case.dead_letters.records.keys():
        yield Fault(Invariant.PUBLISHED, f"the dead letter {letter_id} of a diverted row is not on its topic")
    for topic, rows in case.elsewhere.items():
        yield Fault(Invariant.PUBLISHED, f"{len(rows)} rows for the unknown topic {topic}")
    for published in case.published:
        name = published.topic.name
        for message_id, rows in published.rows.items():
            there = len(published.records.get(message_id, ()))
            due = sum(row.position not in absent for row in rows)
            if there < due:
                yield Fault(Invariant.PUBLISHED, f"{message_id}: {due} rows, but {there} records on {name}")
        for message_id in published.records.keys() - published.rows.keys() - case.diverted:
            place = published.first[message_id].place
            yield Fault(Invariant.NOTHING_ADDED, f"{message_id} at {place} of {name}")


def check_repeats(case: Case) -> Iterator[Fault]:
    """Whatever is there twice is there the same, headers included, and as the outbox has it."""
    for published in case.published:
        for message_id, records in published.records.items():
            row = published.rows[message_id][0] if message_id in published.rows else None
            if row is not None and not _is_as_stored(records[0], row):
                yield Fault(Invariant.SENT_AS_STORED, f"{message_id} at {records[0].place} of {published.topic.name}")
            if len(records) == 1:
                continue
            first = _content(records[0])
            for record in records[1:]:
                if _content(record) != first:
                    yield Fault(Invariant.REPEATED_ALIKE, f"{message_id} at {record.place} of {published.topic.name}")


def _is_as_stored(record: TopicRecord, row: OutboxRow) -> bool:
    number = None if row.sequence is None else f"{row.sequence:019}"
    return (record.key, record.value) == (row.key, row.body) and record.header("ce_sequence") == number


def _content(record: TopicRecord) -> tuple[object, ...]:
    return record.key, record.value, record.headers


def check_extent(case: Case) -> Iterator[Fault]:
    """The relay repeats no more than a page for each crash or broken connection."""
    allowed = case.evidence.repeats_allowed
    if allowed is None:
        return
    repeats = sum(
        max(0, len(records) - max(1, len(published.rows.get(message_id, ()))))
        for published in case.published
        for message_id, records in published.records.items()
    )
    if repeats > allowed:
        yield Fault(Invariant.REPEATED_LITTLE, f"{repeats} records are repeats, {allowed} may be")


def check_order(case: Case) -> Iterator[Fault]:
    """A key's messages are in one partition and come first in the order of their positions."""
    for published in case.published:
        yield from _check_order(published)


def _check_order(published: Published) -> Iterator[Fault]:
    partitions: dict[bytes, int] = {}
    positions: dict[bytes, int] = {}
    for message_id, record in published.first.items():
        if record.key is None:
            continue
        where = f"{message_id} at {record.place} of {published.topic.name}"
        if partitions.setdefault(record.key, record.place.partition) != record.place.partition:
            yield Fault(Invariant.ONE_PARTITION, where)
        rows = published.rows.get(message_id)
        if rows:
            if rows[0].position < positions.get(record.key, 0):
                yield Fault(Invariant.ORDER_KEPT, where)
            positions[record.key] = rows[0].position


def check_sequences(case: Case) -> Iterator[Fault]:
    """The events of a key count from 1 without gaps but for those withheld, up to the version of its root."""
    last: dict[str, int] = defaultdict(int)
    withheld = _withheld_numbers(case)
    for event_id, record in case.events.first.items():
        key = (record.key or b"").decode(errors="replace")
        text = record.header("ce_sequence") or ""
        number = int(text) if text.isdecimal() else 0
        while last[key] + 1 != number and last[key] + 1 in withheld[key]:
            last[key] += 1
        if number != last[key] + 1:
            yield Fault(Invariant.GAPLESS, f"{key}: {number} after {last[key]}, event {event_id} at {record.place}")
        last[key] = max(last[key], number)
    for key in last.keys() | case.tables.versions.keys():
        version = case.tables.versions.get(key)
        while last[key] + 1 in withheld[key]:
            last[key] += 1
        if version != last.get(key, 0):
            yield Fault(Invariant.VERSION_REACHED, f"{key}: version {version}, last event {last.get(key, 0)}")


def _withheld_numbers(case: Case) -> defaultdict[str, set[int]]:
    """Give the numbers of events that need not be on the topic, by key."""
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for rows in case.events.rows.values():
        for row in rows:
            if row.position in case.tables.absent and row.sequence is not None:
                numbers[(row.key or b"").decode(errors="replace")].add(row.sequence)
    return numbers


CHECKS = (check_published, check_repeats, check_extent, check_order, check_sequences)
