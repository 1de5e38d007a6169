"""Checks what the consumer decided: every record of the commands topic has exactly one fate, and answers for it."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Final

from checker.case import Case, current_outcome_id
from checker.evidence import Identity, LetterRow, Place, TopicRecord
from checker.faults import Fault, Invariant
from messages.outcome import PROVISIONAL, Outcome
from messages.refusals import Reason

NOBODY_TO_ANSWER: Final = frozenset({Reason.TOO_LARGE, Reason.SOURCE_FORBIDDEN})
"""Reasons why a record whose envelope could be read has a dead letter without source."""

MAY_CHANGE_NOTHING: Final = frozenset({"squad.complete-project-tasks.v1", "user.register-if-absent.v1"})
"""Types of commands that are applied without an event where there is nothing to do, or to make."""

TOLD: Final = ("source", "id", "type", "outcome", "revision", "final", "event_ids")
"""What an outcome's body and the columns of its inbox row both say."""


def check_decided(case: Case) -> Iterator[Fault]:
    """Each command has one inbox row, which was made by its first record."""
    for identity, count in Counter(row.identity for row in case.tables.inbox).items():
        if count > 1:
            yield Fault(Invariant.DECIDED_ONCE, f"{identity}: {count} rows")
    for identity in case.answerable.keys() - case.inbox.keys():
        yield Fault(Invariant.DECIDED_ONCE, f"{identity}: no row")
    for identity, row in case.inbox.items():
        places = case.answerable.get(identity, [])
        if row.place not in places:
            yield Fault(Invariant.DECIDED_ONCE, f"{identity}: decided from {row.place}, where it is not")
        elif any(place < row.place for place in places if place.partition == row.place.partition):
            yield Fault(Invariant.DECIDED_ONCE, f"{identity}: decided from {row.place}, which was not its first")


def check_letters(case: Case) -> Iterator[Fault]:
    """Each record beyond applying is kept whole in the table and told on the topic."""
    for place, record in case.commands.items():
        faults = _letter_faults(case, place, record)
        yield from (Fault(Invariant.LETTER_KEPT, f"{place}: {fault}") for fault in faults)
    for letter in case.tables.letters:
        if letter.place not in case.commands:
            yield Fault(Invariant.LETTER_KEPT, f"{letter.place}: a dead letter of no record")
        published = case.dead_letters.first.get(letter.id)
        if published is None:
            if letter.id in case.absent:
                continue
            yield Fault(Invariant.LETTER_KEPT, f"{letter.place}: the dead letter is not on the topic")
        elif not _tells(published, letter):
            yield Fault(Invariant.LETTER_KEPT, f"{letter.place}: the topic tells another story than the table")
    known = {letter.id for letter in case.tables.letters} | case.diverted
    for letter_id in case.dead_letters.first.keys() - known:
        yield Fault(Invariant.LETTER_KEPT, f"dead letter {letter_id} is on the topic only")


def _letter_faults(case: Case, place: Place, record: TopicRecord) -> Iterator[str]:
    letters, identity = case.letters.get(place, []), case.identities.get(place)
    if len(letters) > 1:
        yield f"{len(letters)} dead letters"
    for letter in letters:
        if (letter.key, letter.value) != (record.key, record.value):
            yield "the dead letter is not the record"
    if identity is None:
        if not letters:
            yield "unreadable, but no dead letter"
        return
    for letter in letters:
        if letter.source != identity.source and letter.reason not in NOBODY_TO_ANSWER:
            yield "the dead letter does not know whom to answer"
    row = case.inbox.get(identity)
    if row is None or row.revision > 1 or row.place != place:
        return
    if (row.outcome == Outcome.DEAD_LETTERED) != bool(letters):
        yield f"the outcome is {row.outcome}, the dead letters are {len(letters)}"


def _tells(published: TopicRecord, letter: LetterRow) -> bool:
    told = tuple(published.header(f"dead-letter-{name}") for name in ("partition", "offset", "reason"))
    is_whole = published.header("dead-letter-cut-from-bytes") is None
    value = letter.value if is_whole or letter.value is None else letter.value[: len(published.value or b"")]
    return told == (str(letter.place.partition), str(letter.place.offset), letter.reason) and published.value == value


def check_answers(case: Case) -> Iterator[Fault]:
    """Each readable record has one outcome, a repeated one the same again; redriving adds further ones."""
    for identity, places in case.answerable.items():
        answers, row = case.answers[identity], case.inbox.get(identity)
        if answers < len(places) or (answers > len(places) and row is not None and row.revision == 1):
            yield Fault(Invariant.ANSWERED, f"{identity}: {answers} outcomes for {len(places)} records")
    answered = case.outcomes.first.keys() | case.absent
    for row in case.tables.inbox:
        if current_outcome_id(row) not in answered:
            yield Fault(Invariant.ANSWERED, f"{row.identity}: no outcome on the topic")
    for outcome_id in case.outcomes.first.keys() - case.outcome_ids.keys():
        yield Fault(Invariant.ANSWERED, f"outcome {outcome_id} is of no command")


def check_concluded(case: Case) -> Iterator[Fault]:
    """An outcome is final unless a redrive may replace it; a dead letter that was discarded is final too.

    What was replaced was not final: nobody is told two last words.
    """
    for row in case.tables.inbox:
        is_discarded = row.final and row.outcome == Outcome.DEAD_LETTERED and row.revision > 1
        if row.final != (row.outcome not in PROVISIONAL) and not is_discarded:
            final = "final" if row.final else "not final"
            yield Fault(Invariant.CONCLUDED, f"{row.identity}: {row.outcome}, and {final}")
    current = {current_outcome_id(row) for row in case.tables.inbox}
    for outcome_id, record in case.outcomes.first.items():
        replaced = case.outcome_ids.get(outcome_id)
        if replaced is not None and outcome_id not in current and _is_final(record):
            yield Fault(Invariant.CONCLUDED, f"{replaced.identity}: the outcome at {record.place} was final already")


def _is_final(outcome: TopicRecord) -> bool:
    try:
        return json.loads(outcome.value or b"").get("final") is not False
    except (AttributeError, ValueError):
        return True


def check_outcomes(case: Case) -> Iterator[Fault]:
    """The outcome on the topic is, byte for byte, what the inbox keeps, and that agrees with its columns."""
    for row in case.tables.inbox:
        record = case.outcomes.first.get(current_outcome_id(row))
        if record is not None and (record.key or b"", record.value) != (row.key.encode(), row.body):
            yield Fault(Invariant.OUTCOME_STORED, f"{row.identity}: another outcome at {record.place}")
        told = row.told
        stored = (*row.identity, row.type, row.outcome, row.revision, row.final, list(row.event_ids))
        if tuple(told.get(name) for name in TOLD) != stored:
            yield Fault(Invariant.OUTCOME_STORED, f"{row.identity}: the body differs from the row")


def check_replies(case: Case) -> Iterator[Fault]:
    """The outcome of a command that named a topic is there too, the same message, and nobody else's is."""
    for replies in case.replies:
        wanting = {current_outcome_id(row): row for row in case.tables.inbox if row.reply_to == replies.topic.name}
        for outcome_id, row in wanting.items():
            there, record = replies.first.get(outcome_id), case.outcomes.first.get(outcome_id)
            if there is None:
                yield Fault(Invariant.REPLIED, f"{row.identity}: no outcome on {replies.topic.name}")
            elif record is not None and (there.key, there.value, there.headers) != (
                record.key,
                record.value,
                record.headers,
            ):
                yield Fault(Invariant.REPLIED, f"{row.identity}: another outcome at {there.place} of its topic")
        for outcome_id, there in replies.first.items():
            told = case.outcome_ids.get(outcome_id)
            if told is None or told.reply_to != replies.topic.name:
                yield Fault(Invariant.REPLIED, f"{outcome_id} at {there.place} of {replies.topic.name} is nobody's")


def check_effects(case: Case) -> Iterator[Fault]:
    """A command has exactly the events that its outcome lists: some when it was applied, else none.

    A command for whatever there is may find nothing to change.
    """
    causes: dict[str, Identity] = {}
    for row in case.tables.inbox:
        is_applied = row.outcome == Outcome.APPLIED
        if bool(row.event_ids) != is_applied and not (is_applied and row.type in MAY_CHANGE_NOTHING):
            yield Fault(Invariant.EFFECT_ONCE, f"{row.identity}: {row.outcome} with {len(row.event_ids)} events")
        for event_id in row.event_ids:
            if causes.setdefault(event_id, row.identity) != row.identity:
                yield Fault(Invariant.EFFECT_ONCE, f"event {event_id} is of two commands")
    for event_id, rows in case.events.rows.items():
        if len(rows) > 1:
            yield Fault(Invariant.EFFECT_ONCE, f"event {event_id} was caused {len(rows)} times")
    for event_id in causes.keys() - case.events.first.keys() - case.absent:
        yield Fault(Invariant.EFFECT_ONCE, f"{causes[event_id]}: event {event_id} is not on the topic")
    for event_id, record in case.events.first.items():
        cause = causes.get(event_id)
        if cause is None:
            yield Fault(Invariant.EFFECT_ONCE, f"event {event_id} at {record.place} is in no outcome")
        elif record.header("ce_causationid") != cause.id:
            yield Fault(Invariant.EFFECT_ONCE, f"event {event_id} names another cause than {cause}")


def check_checkpoints(case: Case) -> Iterator[Fault]:
    """Checkpoints stand behind the last record of each partition, and not past its end."""
    last: dict[int, int] = {}
    for place in case.commands:
        last[place.partition] = max(last.get(place.partition, 0), place.offset)
    for partition, offset in last.items():
        stored = case.tables.checkpoints.get(partition)
        if stored is None or stored <= offset:
            yield Fault(Invariant.CHECKPOINT_AT_END, f"partition {partition}: {stored}, the last record is {offset}")
    for partition, stored in case.tables.checkpoints.items():
        end = case.evidence.commands.ends.get(partition, 0)
        if stored > end:
            yield Fault(Invariant.CHECKPOINT_AT_END, f"partition {partition}: {stored}, past the end {end}")


CHECKS = (
    check_decided,
    check_letters,
    check_answers,
    check_concluded,
    check_outcomes,
    check_replies,
    check_effects,
    check_checkpoints,
)
