"""Deciding a batch in memory: handlers run in record order on one state; what is to be stored and sent is collected."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic_core import to_json

from consumers import dead_letters
from consumers.dead_letters import Refused
from consumers.decode import Incoming
from consumers.inbox import Identity, Known
from domain.commands import Command
from domain.events import Event
from domain.given import Given
from domain.reads import Reads
from domain.rejections import RETRYABLE, Code, Rejected
from domain.state import Squad, State, User
from domain.streams import OfUser
from domain.sweeps import Sweep, Swept
from domain.tables import RULES, SweepRule
from domain.values import is_id
from messages.envelope import Envelope
from messages.ids import CommandIds
from messages.keys import slot_of
from messages.outcome import PROVISIONAL, CommandOutcome, Outcome, encode_applied
from messages.refusals import Reason, RefusedError
from messages.registry import EVENTS, OUTCOME
from outbox.append import Outbox, Row, sent_to

JSON: Final = "application/json"

FORGOTTEN: Final = "ce_time is at or before the inbox's floor: whether the command was decided is not known any more"
"""What is said of a command that is too old for the inbox, whatever else may be wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Where messages go, and as whom.

    Args:
        events, outcomes, dead_letters: names of topics.
        replies: the topics to which outcomes may go besides, where a command names one.
        source: CloudEvents `source` of our events and outcomes.
        dead_letter_bytes: how much of a dead letter's headers and value is published.
    """

    events: str
    outcomes: str
    dead_letters: str
    replies: frozenset[str] = frozenset()
    source: str = "/agent-squad"
    dead_letter_bytes: int = 900_000


def declare_reads(batch: Iterable[Incoming], known: Mapping[Identity, Known]) -> Reads:
    """Collect what the commands that are not known yet have to load and lock."""
    reads = Reads()
    for incoming in batch:
        command = incoming.command
        if command is not None and incoming.identity not in known:
            RULES[type(command)].read(command, reads)
    return reads


@dataclass(slots=True)
class Answer:
    """What a command of this batch is answered with, as often as it comes: the same row of the outbox again."""

    fingerprint: bytes
    row: Row
    reply_to: str | None


@dataclass(slots=True)
class Decisions:
    """Decides one batch, and holds what its transaction writes.

    Args:
        topics: where messages go.
        state: what was loaded; the handlers change it.
        known: commands decided before this batch.
        began_at: when the transaction began.
        floor_microseconds: of commands sent by then, those that are not known may have been decided and forgotten.
    """

    topics: Topics
    state: State
    known: Mapping[Identity, Known]
    began_at: datetime
    floor_microseconds: int
    outbox: Outbox = field(default_factory=Outbox)
    inbox: list[tuple[Any, ...]] = field(default_factory=list)
    letters: list[Refused] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _answers: dict[Identity, Answer] = field(default_factory=dict)

    def decide(self, incoming: Incoming) -> Sweep | None:
        """Decide one record: duplicate, dead letter, rejection or effect.

        Returns:
            What has to be swept, for a command that is not decided before `tell` knows what the sweep changed.
        """
        envelope, identity = incoming.envelope, incoming.identity
        if identity is not None and (answer := self._find_answer(identity)) is not None:
            self._repeat(incoming, answer)
        elif envelope is not None and envelope.time_microseconds <= self.floor_microseconds:
            # Neither applied, it would be twice, nor answered: an outcome could gainsay the one it had.
            self._add_letter(incoming, RefusedError(Reason.TOO_OLD, FORGOTTEN))
        elif incoming.refusal is not None:
            self._add_letter(incoming, incoming.refusal)
            if envelope is not None:
                self._conclude_refused(incoming, envelope, incoming.refusal)
        elif envelope is not None and incoming.command is not None:
            return self._decide_command(incoming, envelope, incoming.command)
        else:
            raise ValueError("a record is a command, or says why not")
        return None

    def tell(self, incoming: Incoming, swept: Swept) -> None:
        """End the decision of a command whose sweep was carried out."""
        envelope, command = incoming.envelope, incoming.command
        if envelope is None or command is None or not isinstance(rule := RULES[type(command)], SweepRule):
            raise ValueError("only a command that asked for a sweep is told of it")
        ids = CommandIds(envelope.source, envelope.id)
        events = rule.tell(command, Given(incoming.now.at, ids.new), swept)
        self._conclude_applied(incoming, envelope, command, ids, events)

    # Duplicates

    def _find_answer(self, identity: Identity) -> Answer | None:
        answer = self._answers.get(identity)
        if answer is None and (known := self.known.get(identity)) is not None:
            row = self._outcome_row(
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

    def _repeat(self, incoming: Incoming, answer: Answer) -> None:
        if answer.fingerprint == incoming.fingerprint:
            self.counts["duplicate"] += 1
            self._append_answer(answer)
        else:
            conflict = "the id was used before, with other content"
            self._add_letter(incoming, RefusedError(Reason.ID_CONFLICT, conflict))

    def _append_answer(self, answer: Answer) -> None:
        """Publish a command's outcome; the same message goes to the topic that the command named, too."""
        self.counts["outcome"] += 1
        self.outbox.append(answer.row)
        # Settings may have changed since it was decided.
        if answer.reply_to is not None and answer.reply_to in self.topics.replies:
            self.counts["reply"] += 1
            self.outbox.append(sent_to(answer.reply_to, answer.row))

    # Commands

    def _decide_command(self, incoming: Incoming, envelope: Envelope, command: Command) -> Sweep | None:
        rule, ids = RULES[type(command)], CommandIds(envelope.source, envelope.id)
        given = Given(incoming.now.at, ids.new)
        try:
            self._check_conditions(envelope, command)
            if isinstance(rule, SweepRule):
                return rule.sweep(self.state, command, given)
            events = rule.decide(self.state, command, given)
        except Rejected as rejection:
            self._conclude_rejected(incoming, envelope, command, rejection)
        else:
            self._conclude_applied(incoming, envelope, command, ids, events)
        return None

    def _check_conditions(self, envelope: Envelope, command: Command) -> None:
        """Refuse what came too late, by the database's clock at the batch's beginning, or for another version."""
        if envelope.expires_at is not None and envelope.expires_at < self.began_at:
            raise Rejected(Code.EXPIRED, f"The command was to be applied by {envelope.expires_at.isoformat()}")
        if envelope.expected_version is not None and envelope.expected_version != (self._version(command) or 0):
            raise Rejected(
                Code.VERSION_MISMATCH,
                f"The stream's version is {self._version(command) or 0}, not {envelope.expected_version}",
            )

    def _root(self, message: Command | Event) -> User | Squad | None:
        if isinstance(message, OfUser):
            return self.state.users.get(message.user_id)
        return self.state.squads.get(message.squad_id)

    def _version(self, command: Command) -> int | None:
        root = self._root(command)
        return None if root is None else root.version

    # What became of a record

    def _conclude_applied(
        self, incoming: Incoming, envelope: Envelope, command: Command, ids: CommandIds, events: Sequence[Event]
    ) -> None:
        self.counts["applied"] += 1
        event_ids = [
            self._append_event(incoming, envelope, ids.event(index), event) for index, event in enumerate(events)
        ]
        version = self._version(command)
        if version is None:
            raise LookupError(f"{type(command).__name__} was applied to a stream without a root: {command.stream_id}")
        body = encode_applied(envelope.source, envelope.id, envelope.type, version, event_ids)
        self._conclude(incoming, envelope, ids, Outcome.APPLIED, body, event_ids)

    def _conclude_rejected(self, incoming: Incoming, envelope: Envelope, command: Command, rejection: Rejected) -> None:
        expired = rejection.code is Code.EXPIRED
        self.counts["expired" if expired else f"rejected: {rejection.code}"] += 1
        self._conclude_otherwise(
            incoming,
            envelope,
            CommandOutcome(
                source=envelope.source,
                id=envelope.id,
                type=envelope.type,
                outcome=Outcome.EXPIRED if expired else Outcome.REJECTED,
                code=rejection.code,
                detail=rejection.detail,
                retryable=rejection.code in RETRYABLE,
                version=self._version(command),
            ),
        )

    def _conclude_refused(self, incoming: Incoming, envelope: Envelope, refusal: RefusedError) -> None:
        self._conclude_otherwise(
            incoming,
            envelope,
            CommandOutcome(
                source=envelope.source,
                id=envelope.id,
                type=envelope.type,
                outcome=Outcome.DEAD_LETTERED,
                code=refusal.reason,
                detail=refusal.detail,
                errors=refusal.errors,
                final=False,
            ),
        )

    def _conclude_otherwise(self, incoming: Incoming, envelope: Envelope, outcome: CommandOutcome) -> None:
        ids = CommandIds(envelope.source, envelope.id)
        self._conclude(incoming, envelope, ids, outcome.outcome, OUTCOME.encode(outcome), ())

    # Rows: tuples in the order of their columns, written out here because each command needs three of them

    def _append_event(self, incoming: Incoming, envelope: Envelope, event_id: str, event: Event) -> str:
        root = self._root(event)
        if root is None:
            raise LookupError(f"{type(event).__name__} names a stream without a root: {event.stream_id}")
        root.version += 1
        message_type, key = EVENTS[type(event)], event.stream_id.encode()
        self.counts["event"] += 1
        self.outbox.append(
            (
                None,
                incoming.now.microseconds,
                root.version,
                slot_of(key),
                event_id,
                self.topics.events,
                key,
                message_type.name,
                self.topics.source,
                envelope.correlation_id,
                envelope.id,
                envelope.traceparent,
                message_type.dataschema,
                JSON,
                None if envelope.tracestate is None else to_json({"tracestate": envelope.tracestate}).decode(),
                None,
                None,
                message_type.encode(event),
            )
        )
        return event_id

    def _conclude(
        self,
        incoming: Incoming,
        envelope: Envelope,
        ids: CommandIds,
        outcome: Outcome,
        body: bytes,
        event_ids: Sequence[str],
    ) -> None:
        record, now = incoming.record, incoming.now.microseconds
        key = _key_text(record.key)
        self.inbox.append(
            (
                envelope.source,
                envelope.id,
                envelope.type,
                key,
                envelope.correlation_id,
                incoming.fingerprint,
                outcome,
                1,
                outcome not in PROVISIONAL,
                body,
                "{" + ",".join(event_ids) + "}",
                record.topic,
                record.partition,
                record.offset,
                envelope.time_microseconds,
                now,
                None,
                envelope.reply_to,
            )
        )
        row = self._outcome_row(key, envelope.correlation_id, envelope.id, ids.outcome(1), body, now, None)
        answer = Answer(incoming.fingerprint, row, envelope.reply_to)
        if incoming.identity is not None:
            self._answers[incoming.identity] = answer
        self._append_answer(answer)

    def _outcome_row(
        self,
        key: str,
        correlation_id: str,
        command_id: str,
        outcome_id: str,
        body: bytes,
        decided_microseconds: int,
        recorded_microseconds: int | None,
    ) -> Row:
        encoded = key.encode() or None
        return (
            recorded_microseconds,
            decided_microseconds,
            None,
            slot_of(encoded),
            outcome_id,
            self.topics.outcomes,
            encoded,
            OUTCOME.name,
            self.topics.source,
            correlation_id,
            command_id,
            None,
            OUTCOME.dataschema,
            JSON,
            None,
            None,
            None,
            body,
        )

    def _add_letter(self, incoming: Incoming, refusal: RefusedError) -> None:
        self.counts[f"dead letter: {refusal.reason}"] += 1
        letter = Refused(incoming.record, incoming.envelope, refusal.reason, refusal.detail)
        self.letters.append(letter)
        dead_letters.append(
            self.outbox,
            letter,
            topic=self.topics.dead_letters,
            source=self.topics.source,
            time_microseconds=incoming.now.microseconds,
            max_bytes=self.topics.dead_letter_bytes,
        )


def _key_text(key: bytes | None) -> str:
    """Give the key as the inbox stores it and its outcome is published with.

    A key that is no id is none of ours, and may be as large as a record: its outcome has no key.
    """
    text = (key or b"").decode(errors="replace")
    return text if is_id(text) else ""
