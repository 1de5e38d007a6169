"""Deciding a batch in memory: handlers run in record order on one state; what is to be stored and sent is collected."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

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
from messages import ids
from messages.envelope import Envelope
from messages.outcome import CommandOutcome, Outcome
from messages.refusals import Reason, RefusedError
from messages.registry import EVENTS, OUTCOME
from outbox.append import Outbox

JSON: Final = "application/json"


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


def declare_reads(batch: Iterable[Incoming], known: dict[Identity, Known]) -> Reads:
    """Collect what the commands that are not known yet have to load and lock."""
    reads = Reads()
    for incoming in batch:
        envelope, command = incoming.envelope, incoming.command
        if envelope is None or command is None or Identity(envelope.source, envelope.id) in known:
            continue
        RULES[type(command)].read(command, reads)
    return reads


@dataclass(slots=True)
class Decisions:
    """Decides one batch, and holds what its transaction writes.

    Args:
        topics: where messages go.
        state: what was loaded; the handlers change it.
        known: commands decided before; those of this batch join them, so that a duplicate inside it is one too.
        recorded_at: when the transaction began.
    """

    topics: Topics
    state: State
    known: dict[Identity, Known]
    recorded_at: datetime
    outbox: Outbox = field(default_factory=Outbox)
    inbox: list[tuple[Any, ...]] = field(default_factory=list)
    letters: list[Refused] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def decide(self, incoming: Incoming) -> Sweep | None:
        """Decide one record: duplicate, dead letter, rejection or effect.

        Returns:
            What has to be swept, for a command that is not decided before `tell` knows what the sweep changed.
        """
        envelope, refusal = incoming.envelope, incoming.refusal
        known = None if envelope is None else self.known.get(Identity(envelope.source, envelope.id))
        if envelope is not None and known is not None:
            self._decide_known(incoming, envelope, known)
        elif refusal is not None:
            self._add_letter(incoming, refusal)
            if envelope is not None:
                self._conclude_refused(incoming, envelope, refusal)
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
        self._conclude_applied(incoming, envelope, command, rule.tell(command, _given(incoming, envelope), swept))

    def _decide_known(self, incoming: Incoming, envelope: Envelope, known: Known) -> None:
        if known.fingerprint == incoming.fingerprint:
            self.counts["duplicate"] += 1
            self._append_outcome(Identity(envelope.source, envelope.id), known)
        else:
            conflict = RefusedError(Reason.ID_CONFLICT, f"id {envelope.id} was used before, with other content")
            self._add_letter(incoming, conflict)

    def _decide_command(self, incoming: Incoming, envelope: Envelope, command: Command) -> Sweep | None:
        rule, given = RULES[type(command)], _given(incoming, envelope)
        try:
            self._check_conditions(envelope, command)
            if isinstance(rule, SweepRule):
                return rule.sweep(self.state, command, given)
            events = rule.decide(self.state, command, given)
        except Rejected as rejection:
            self._conclude_rejected(incoming, envelope, command, rejection)
        else:
            self._conclude_applied(incoming, envelope, command, events)
        return None

    def _conclude_applied(
        self, incoming: Incoming, envelope: Envelope, command: Command, events: Sequence[Event]
    ) -> None:
        self.counts["applied"] += 1
        event_ids = tuple(self._append_event(envelope, incoming, index, event) for index, event in enumerate(events))
        self._conclude(
            incoming,
            envelope,
            _answer(envelope)(
                outcome=Outcome.APPLIED,
                version=self._version(command),
                event_ids=event_ids,
            ),
        )

    def _check_conditions(self, envelope: Envelope, command: Command) -> None:
        """Refuse what came too late, by the database's clock at the batch's beginning, or for another version."""
        if envelope.expires_at is not None and envelope.expires_at < self.recorded_at:
            raise Rejected(Code.EXPIRED, f"The command was to be applied by {envelope.expires_at.isoformat()}")
        if envelope.expected_version is not None and envelope.expected_version != (self._version(command) or 0):
            raise Rejected(
                Code.VERSION_MISMATCH,
                f"The stream's version is {self._version(command) or 0}, not {envelope.expected_version}",
            )

    def _conclude_rejected(self, incoming: Incoming, envelope: Envelope, command: Command, rejection: Rejected) -> None:
        expired = rejection.code is Code.EXPIRED
        self.counts["expired" if expired else f"rejected: {rejection.code}"] += 1
        self._conclude(
            incoming,
            envelope,
            _answer(envelope)(
                outcome=Outcome.EXPIRED if expired else Outcome.REJECTED,
                code=rejection.code,
                detail=rejection.detail,
                retryable=rejection.code in RETRYABLE,
                version=self._version(command),
            ),
        )

    def _root(self, message: Command | Event) -> User | Squad | None:
        if isinstance(message, OfUser):
            return self.state.users.get(message.user_id)
        return self.state.squads.get(message.squad_id)

    def _version(self, command: Command) -> int | None:
        root = self._root(command)
        return None if root is None else root.version

    def _append_event(self, envelope: Envelope, incoming: Incoming, index: int, event: Event) -> str:
        root = self._root(event)
        if root is None:
            raise LookupError(f"{type(event).__name__} names a stream without a root: {event.stream_id}")
        root.version += 1
        message_type = EVENTS[type(event)]
        event_id = ids.event_id(envelope.source, envelope.id, index)
        self.counts["event"] += 1
        self.outbox.append(
            topic=self.topics.events,
            key=event.stream_id.encode(),
            event_id=event_id,
            type=message_type.name,
            source=self.topics.source,
            time=incoming.now,
            recorded_at=self.recorded_at,
            sequence=root.version,
            correlation_id=envelope.correlation_id,
            causation_id=envelope.id,
            traceparent=envelope.traceparent,
            tracestate=envelope.tracestate,
            dataschema=message_type.dataschema,
            content_type=JSON,
            body=message_type.encode(event),
        )
        return event_id

    def _conclude_refused(self, incoming: Incoming, envelope: Envelope, refusal: RefusedError) -> None:
        self._conclude(
            incoming,
            envelope,
            _answer(envelope)(
                outcome=Outcome.DEAD_LETTERED,
                code=refusal.reason,
                detail=refusal.detail,
                errors=refusal.errors,
                final=False,
            ),
        )

    def _conclude(self, incoming: Incoming, envelope: Envelope, outcome: CommandOutcome) -> None:
        record, identity = incoming.record, Identity(envelope.source, envelope.id)
        known = Known(
            type=envelope.type,
            key=_key_text(record.key),
            correlation_id=envelope.correlation_id,
            fingerprint=incoming.fingerprint,
            outcome_revision=outcome.revision,
            outcome_body=OUTCOME.encode(outcome),
            decided_at=incoming.now,
            recorded_at=self.recorded_at,
            reply_to=envelope.reply_to,
        )
        self.known[identity] = known
        self.inbox.append(
            (
                *identity,
                known.type,
                known.key,
                known.correlation_id,
                known.fingerprint,
                outcome.outcome,
                outcome.revision,
                outcome.final,
                known.outcome_body,
                outcome.event_ids,
                record.topic,
                record.partition,
                record.offset,
                envelope.time,
                incoming.now,
                self.recorded_at,
                known.reply_to,
            )
        )
        self._append_outcome(identity, known)

    def _append_outcome(self, identity: Identity, known: Known) -> None:
        """Publish a command's outcome; the same message goes to the topic that the command named, too."""
        self.counts["outcome"] += 1
        self._append_outcome_to(self.topics.outcomes, identity, known)
        # Settings may have changed since it was decided.
        if known.reply_to is not None and known.reply_to in self.topics.replies:
            self.counts["reply"] += 1
            self._append_outcome_to(known.reply_to, identity, known)

    def _append_outcome_to(self, topic: str, identity: Identity, known: Known) -> None:
        self.outbox.append(
            topic=topic,
            key=known.key.encode() or None,
            event_id=ids.outcome_id(*identity, known.outcome_revision),
            type=OUTCOME.name,
            source=self.topics.source,
            time=known.decided_at,
            recorded_at=known.recorded_at,
            correlation_id=known.correlation_id,
            causation_id=identity.command_id,
            dataschema=OUTCOME.dataschema,
            content_type=JSON,
            body=known.outcome_body,
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
            now=incoming.now,
            recorded_at=self.recorded_at,
            max_bytes=self.topics.dead_letter_bytes,
        )


def _given(incoming: Incoming, envelope: Envelope) -> Given:
    return Given(incoming.now, partial(ids.derive, envelope.source, envelope.id))


def _answer(envelope: Envelope) -> partial[CommandOutcome]:
    """Give the maker of a command's outcome: what it says of the command is always the same."""
    return partial(CommandOutcome, source=envelope.source, id=envelope.id, type=envelope.type)


def _key_text(key: bytes | None) -> str:
    """Give the key as the inbox stores it and its outcome is published with.

    A key that is no id is none of ours, and may be as large as a record: its outcome has no key.
    """
    text = (key or b"").decode(errors="replace")
    return text if is_id(text) else ""
