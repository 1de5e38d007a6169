"""The evidence with its cross-references, each worked out once."""

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import Final

from checker.evidence import Evidence, Identity, InboxRow, LetterRow, OutboxRow, Place, TopicDump, TopicRecord
from checker.history import Attempt
from messages import codec, ids
from messages.refusals import Reason, RefusedError

EVENT_ID: Final = "ce_id"
LETTER_ID: Final = "dead-letter-id"
"""Which header names a message: a dead letter keeps the headers of the record that it was, `ce_id` too."""

NO_LIMITS: Final = codec.Limits(headers=sys.maxsize, json_depth=sys.maxsize, json_values=sys.maxsize)
"""What was too large has a dead letter that says so."""


class Published:
    """One topic that the relay writes, beside the outbox rows for it.

    Args:
        topic: the topic.
        rows: all of the outbox, by position.
        id_header: which header names a message.
    """

    def __init__(self, topic: TopicDump, rows: list[OutboxRow], id_header: str) -> None:
        self.topic = topic
        self.records: dict[str, list[TopicRecord]] = defaultdict(list)
        for record in topic.records:
            self.records[record.header(id_header) or f"(without {id_header})"].append(record)
        self.rows: dict[str, list[OutboxRow]] = defaultdict(list)
        for row in rows:
            self.rows[row.event_id].append(row)

    @cached_property
    def first(self) -> dict[str, TopicRecord]:
        """The first occurrence of each message by id, in offset order within each partition."""
        return {message_id: records[0] for message_id, records in self.records.items()}


class Case:
    """What the checks look things up in.

    Args:
        evidence: what the run left behind.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.tables = evidence.tables
        rows: dict[str, list[OutboxRow]] = defaultdict(list)
        for row in evidence.tables.outbox:
            rows[row.topic].append(row)
        self.events = Published(evidence.events, rows.pop(evidence.events.name, []), EVENT_ID)
        self.outcomes = Published(evidence.outcomes, rows.pop(evidence.outcomes.name, []), EVENT_ID)
        self.dead_letters = Published(evidence.dead_letters, rows.pop(evidence.dead_letters.name, []), LETTER_ID)
        self.replies = tuple(Published(topic, rows.pop(topic.name, []), EVENT_ID) for topic in evidence.replies)
        self.published = (self.events, self.outcomes, self.dead_letters, *self.replies)
        self.elsewhere = rows

    @cached_property
    def absent(self) -> set[str]:
        """The ids of messages that need not be on their topics, because Kafka refused them or one before them."""
        positions = self.tables.absent
        return {row.event_id for row in self.tables.outbox if row.position in positions}

    @cached_property
    def incomplete(self) -> set[str]:
        """The streams of which the topic has not all events."""
        positions = self.tables.absent
        return {
            (row.key or b"").decode(errors="replace")
            for rows in self.events.rows.values()
            for row in rows
            if row.position in positions
        }

    @cached_property
    def diverted(self) -> set[str]:
        """The ids of dead letters that are refused outbox rows."""
        positions = self.tables.diverted
        return {ids.diverted_id(row.topic, row.position) for row in self.tables.outbox if row.position in positions}

    @cached_property
    def commands(self) -> dict[Place, TopicRecord]:
        """The records of the commands topic."""
        return {record.place: record for record in self.evidence.commands.records}

    @cached_property
    def identities(self) -> dict[Place, Identity]:
        """Of the records on the commands topic, those whose envelope can be read."""
        found = {}
        for record in self.evidence.commands.records:
            try:
                envelope, _, _ = codec.read(record.headers, record.value, NO_LIMITS)
            except RefusedError:
                continue
            found[record.place] = Identity(envelope.source, envelope.id)
        return found

    @cached_property
    def places(self) -> dict[Identity, list[Place]]:
        """Where the records of each command are, in offset order within each partition."""
        found: dict[Identity, list[Place]] = defaultdict(list)
        for place, identity in self.identities.items():
            found[identity].append(place)
        return found

    @cached_property
    def letters(self) -> dict[Place, list[LetterRow]]:
        """The dead letters of each record."""
        found: dict[Place, list[LetterRow]] = defaultdict(list)
        for letter in self.tables.letters:
            found[letter.place].append(letter)
        return found

    @cached_property
    def inbox(self) -> dict[Identity, InboxRow]:
        """The inbox."""
        return {row.identity: row for row in self.tables.inbox}

    @cached_property
    def answerable(self) -> dict[Identity, list[Place]]:
        """Where the records of each command are that has to be answered, in offset order."""
        found: dict[Identity, list[Place]] = defaultdict(list)
        for place, identity in self.identities.items():
            letters = self.letters.get(place, ())
            if not any(self.is_unanswerable(letter) or self.is_forgotten(letter, identity) for letter in letters):
                found[identity].append(place)
        return found

    @cached_property
    def outcome_ids(self) -> Mapping[str, InboxRow]:
        """The ids of every outcome that there should be, earlier revisions too."""
        return {
            ids.CommandIds(row.identity.source, row.identity.id).outcome(revision): row
            for row in self.tables.inbox
            for revision in range(1, row.revision + 1)
        }

    @cached_property
    def answers(self) -> Counter[Identity]:
        """How often each command was answered, by the outbox."""
        counts: Counter[Identity] = Counter()
        for outcome_id, rows in self.outcomes.rows.items():
            row = self.outcome_ids.get(outcome_id)
            if row is not None:
                counts[row.identity] += len(rows)
        return counts

    def row_of(self, attempt: Attempt) -> InboxRow | None:
        """Give what became of the command that an attempt was to send."""
        if attempt.source is None or attempt.id is None:
            return None
        return self.inbox.get(Identity(attempt.source, attempt.id))

    @staticmethod
    def is_unanswerable(letter: LetterRow) -> bool:
        """Tell whether a dead letter has no outcome of its own: nobody to answer, or the id's first outcome stands."""
        return letter.source is None or letter.reason == Reason.ID_CONFLICT

    def is_forgotten(self, letter: LetterRow, identity: Identity) -> bool:
        """Tell whether a command came too late for the inbox: it has no row (any more), and no outcome either."""
        return letter.reason == Reason.TOO_OLD and identity not in self.inbox


def current_outcome_id(row: InboxRow) -> str:
    """Give the id of the outcome that a command has now."""
    return ids.CommandIds(row.identity.source, row.identity.id).outcome(row.revision)
