"""What the transaction of a batch stores and sends, collected while it is decided."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from consumers import dead_letters
from consumers.culprits import Culprit
from consumers.dead_letters import Refused
from consumers.decode import Incoming
from consumers.inbox import Identity, Known
from consumers.outgoing import Topics, event_row, outcome_row
from consumers.records import Record
from domain.events import Event
from domain.values import is_id
from messages.envelope import Envelope
from messages.ids import CommandIds
from messages.outcome import PROVISIONAL, Outcome
from messages.refusals import Reason, RefusedError
from outbox.append import Outbox, Row, sent_to

LAST_MICROSECONDS: Final = 253_402_300_799_000_000
"""The last second of the year 9999, behind which Python has no times; the microseconds of that second could be rounded
up into the next year on the way to the database."""


@dataclass(slots=True)
class Answer:
    """What a command of this batch is answered with, as often as it comes: the same row of the outbox again."""

    fingerprint: bytes
    row: Row
    reply_to: str | None


@dataclass(slots=True)
class Results:
    """Collects inbox rows, outbox rows and dead letters, and counts them.

    Args:
        topics: where messages go.
        known: commands decided before this batch.
        revisions: which revision the outcome will be, of commands that have one to be replaced; the others': the first.
    """

    topics: Topics
    known: Mapping[Identity, Known]
    revisions: Mapping[Identity, int] = field(default_factory=dict)
    outbox: Outbox = field(default_factory=Outbox)
    inbox: list[tuple[Any, ...]] = field(default_factory=list)
    letters: list[Refused] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    undecided: list[Record] = field(default_factory=list)
    """Records of which nothing was decided: known before, or parked."""
    _answers: dict[Identity, Answer] = field(default_factory=dict)

    def revision_of(self, identity: Identity | None) -> int:
        """Give which revision a command's outcome will be, from 1."""
        return self.revisions.get(identity, 1) if self.revisions and identity is not None else 1

    def find_answer(self, identity: Identity) -> Answer | None:
        """Give what a command was answered with, before this batch or in it."""
        answer = self._answers.get(identity)
        if answer is None and (known := self.known.get(identity)) is not None:
            row = outcome_row(
                self.topics,
                known.key,
                known.correlation_id,
                identity.command_id,
                CommandIds(*identity).outcome(known.outcome_revision),
                known.outcome_body,
                known.decided_microseconds,
                known.recorded_microseconds,
            )
            answer = self._answers[identity] = Answer(known.fingerprint, row, known.reply_to)
        return answer

    def repeat(self, incoming: Incoming, answer: Answer) -> None:
        """Answer a command that comes again; one with other content under the same id is a dead letter."""
        if answer.fingerprint == incoming.fingerprint:
            self.counts["duplicate"] += 1
            self.undecided.append(incoming.record)
            self._append_answer(answer)
        else:
            conflict = "the id was used before, with other content"
            self.add_letter(incoming, RefusedError(Reason.ID_CONFLICT, conflict))

    def append_event(self, incoming: Incoming, envelope: Envelope, event_id: str, event: Event, sequence: int) -> None:
        """Publish an event, `sequence` being its number in its stream."""
        self.counts["event"] += 1
        self.outbox.append(event_row(self.topics, incoming.now, envelope, event_id, event, sequence))

    def conclude(
        self,
        incoming: Incoming,
        envelope: Envelope,
        ids: CommandIds,
        outcome: Outcome,
        body: bytes,
        event_ids: Sequence[str],
        *,
        final: bool | None = None,
    ) -> None:
        """Remember what became of a command, and answer it.

        Args:
            incoming, envelope: the command.
            ids: its own.
            outcome, body: what became of it, and the same as it is told.
            event_ids: of its events.
            final: whether it is settled for ever; absent: as its kind of outcome is.
        """
        key, now = _key_text(incoming.record.key), incoming.now.microseconds
        revision = self.revision_of(incoming.identity)
        is_final = outcome not in PROVISIONAL if final is None else final
        self.inbox.append(_inbox_row(incoming, envelope, key, outcome, revision, is_final, body, event_ids))
        row = outcome_row(
            self.topics, key, envelope.correlation_id, envelope.id, ids.outcome(revision), body, now, None
        )
        answer = Answer(incoming.fingerprint, row, envelope.reply_to)
        if incoming.identity is not None:
            self._answers[incoming.identity] = answer
        self._append_answer(answer)

    def add_letter(self, incoming: Incoming, refusal: RefusedError) -> None:
        """Keep a record that nobody can apply, and publish it with the reason."""
        self._add_letter(incoming, Refused(incoming.record, incoming.envelope, refusal.reason, refusal.detail))

    def add_culprit(self, incoming: Incoming, culprit: Culprit) -> Refused:
        """Keep a record that failed however often it was tried, and publish it with what went wrong."""
        letter = Refused(incoming.record, incoming.envelope, Reason.UNEXPECTED, culprit.detail, culprit)
        self._add_letter(incoming, letter)
        return letter

    def _add_letter(self, incoming: Incoming, letter: Refused) -> None:
        self.counts[f"dead letter: {letter.reason}"] += 1
        self.letters.append(letter)
        dead_letters.append(
            self.outbox,
            letter,
            topic=self.topics.dead_letters,
            source=self.topics.source,
            time_microseconds=incoming.now.microseconds,
            max_bytes=self.topics.dead_letter_bytes,
        )

    def _append_answer(self, answer: Answer) -> None:
        """Publish a command's outcome; the same message goes to the topic that the command named, too."""
        self.counts["outcome"] += 1
        self.outbox.append(answer.row)
        # Settings may have changed since it was decided.
        if answer.reply_to is not None and answer.reply_to in self.topics.replies:
            self.counts["reply"] += 1
            self.outbox.append(sent_to(answer.reply_to, answer.row))


def _inbox_row(
    incoming: Incoming,
    envelope: Envelope,
    key: str,
    outcome: Outcome,
    revision: int,
    is_final: bool,  # noqa: FBT001 - by place, like all the others: one is made for each command
    body: bytes,
    event_ids: Sequence[str],
) -> tuple[Any, ...]:
    record = incoming.record
    return (
        envelope.source,
        envelope.id,
        envelope.type,
        key,
        envelope.correlation_id,
        incoming.fingerprint,
        outcome,
        revision,
        is_final,
        body,
        "{" + ",".join(event_ids) + "}",
        record.topic,
        record.partition,
        record.offset,
        min(envelope.time_microseconds, LAST_MICROSECONDS),
        incoming.now.microseconds,
        None,
        envelope.reply_to,
    )


def _key_text(key: bytes | None) -> str:
    """Give the key as the inbox stores it and its outcome is published with.

    A key that is no id is none of ours, and may be as large as a record: its outcome has no key.
    """
    text = (key or b"").decode(errors="replace")
    return text if is_id(text) else ""
