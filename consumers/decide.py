"""Deciding a batch in memory: handlers run in record order on one state; what is to be stored and sent is collected."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consumers.culprits import Culprit
from consumers.decode import Incoming
from consumers.inbox import Identity, Known
from consumers.parking import Parking
from consumers.results import Results
from domain.answers import Answer, Decided
from domain.commands import Command
from domain.events import Event
from domain.given import Given
from domain.reads import Reads
from domain.rejections import RETRYABLE, Code, Rejected
from domain.state import Squad, State, User
from domain.streams import OfUser
from domain.sweeps import Sweep, Swept
from domain.tables import RULES, SweepRule
from domain.values import Id
from messages.envelope import Envelope
from messages.ids import CommandIds
from messages.outcome import CommandOutcome, Outcome, encode_applied
from messages.refusals import Reason, RefusedError
from messages.registry import OUTCOME

FORGOTTEN: Final = "ce_time is at or before the inbox's floor: whether the command was decided is not known any more"
"""What is said of a command that is too old for the inbox, whatever else may be wrong with it."""


def declare_reads(batch: Iterable[Incoming], known: Mapping[Identity, Known]) -> Reads:
    """Collect what the commands that are not known yet have to load and lock."""
    reads = Reads()
    for incoming in batch:
        command = incoming.command
        if command is not None and incoming.identity not in known:
            RULES[type(command)].read(command, reads)
    return reads


def streams_of(command: Command) -> list[Id]:
    """Give the streams that a command writes, as its rule declares them."""
    reads = Reads()
    RULES[type(command)].read(command, reads)
    return reads.streams_to_change()


@dataclass(slots=True)
class Decisions:
    """Decides one batch.

    Args:
        results: what its transaction will write.
        state: what was loaded; the handlers change it.
        began_at: when the transaction began.
        floor_microseconds: of commands sent by then, those that are not known may have been decided and forgotten.
        parking: which streams wait behind a dead letter.
        culprit: what is known of the batch's only record, where it is not to be decided any more.
    """

    results: Results
    state: State
    began_at: datetime
    floor_microseconds: int
    parking: Parking
    culprit: Culprit | None = None

    def decide(self, incoming: Incoming) -> Sweep | None:
        """Decide one record: duplicate, dead letter, rejection or effect.

        Returns:
            What has to be swept, for a command that is not decided before `tell` knows what the sweep changed.
        """
        envelope, identity = incoming.envelope, incoming.identity
        if identity is not None and (answer := self.results.find_answer(identity)) is not None:
            self.results.repeat(incoming, answer)
        elif envelope is not None and envelope.time_microseconds <= self.floor_microseconds:
            # Neither applied, it would be twice, nor answered: an outcome could gainsay the one it had.
            self.results.add_letter(incoming, RefusedError(Reason.TOO_OLD, FORGOTTEN))
        elif incoming.refusal is not None:
            self._refuse(incoming, envelope, incoming.refusal)
        elif envelope is None or incoming.command is None:
            raise ValueError("a record is a command, or says why not")
        elif self.parking and (letter_id := self.parking.find_letter(streams_of(incoming.command))) is not None:
            self._park(incoming, envelope, incoming.command, letter_id)
        elif self.culprit is not None:
            self._give_up(incoming, envelope, incoming.command, self.culprit)
        else:
            return self._decide_command(incoming, envelope, incoming.command)
        return None

    def tell(self, incoming: Incoming, swept: Swept) -> None:
        """End the decision of a command whose sweep was carried out, or refuse it for what a sweep only counted."""
        envelope, command = incoming.envelope, incoming.command
        if envelope is None or command is None or not isinstance(rule := RULES[type(command)], SweepRule):
            raise ValueError("only a command that asked for a sweep is told of it")
        ids = CommandIds(envelope.source, envelope.id)
        try:
            events = rule.tell(self.state, command, Given(incoming.now.at, ids.new), swept)
        except Rejected as rejection:
            self._conclude_rejected(incoming, envelope, command, rejection)
        else:
            self._conclude_applied(incoming, envelope, command, ids, events)

    # Commands

    def _decide_command(self, incoming: Incoming, envelope: Envelope, command: Command) -> Sweep | None:
        rule, ids = RULES[type(command)], CommandIds(envelope.source, envelope.id)
        given = Given(incoming.now.at, ids.new)
        try:
            self._check_conditions(envelope, command)
            if isinstance(rule, SweepRule):
                return rule.sweep(self.state, command, given)
            decided = rule.decide(self.state, command, given)
        except Rejected as rejection:
            self._conclude_rejected(incoming, envelope, command, rejection)
        else:
            self._conclude_applied(incoming, envelope, command, ids, decided)
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

    def _next_version(self, event: Event) -> int:
        root = self._root(event)
        if root is None:
            raise LookupError(f"{type(event).__name__} names a stream without a root: {event.stream_id}")
        root.version += 1
        return root.version

    # Commands that are not decided now

    def _refuse(self, incoming: Incoming, envelope: Envelope | None, refusal: RefusedError) -> None:
        self.results.add_letter(incoming, refusal)
        if envelope is not None:
            reason, detail, errors = refusal.reason, refusal.detail, refusal.errors
            self._conclude_waiting(incoming, envelope, Outcome.DEAD_LETTERED, reason, detail, errors)

    def _park(self, incoming: Incoming, envelope: Envelope, command: Command, letter_id: Id) -> None:
        self.parking.park(incoming, streams_of(command), letter_id)
        self.results.counts["parked"] += 1
        self.results.undecided.append(incoming.record)
        detail = f"Waits behind dead letter {letter_id}: nobody could apply it, and it writes the same stream"
        self._conclude_waiting(incoming, envelope, Outcome.PARKED, None, detail)

    def _give_up(self, incoming: Incoming, envelope: Envelope, command: Command, culprit: Culprit) -> None:
        letter = self.results.add_culprit(incoming, culprit)
        if culprit.parks:
            self.parking.begin(streams_of(command), letter.id)
        detail = f"Failed unexpectedly, {culprit.attempts} times; waits for an operator as dead letter {letter.id}"
        self._conclude_waiting(incoming, envelope, Outcome.DEAD_LETTERED, Reason.UNEXPECTED, detail)

    def _conclude_waiting(
        self,
        incoming: Incoming,
        envelope: Envelope,
        outcome: Outcome,
        code: Reason | None,
        detail: str,
        errors: Mapping[str, str] | None = None,
    ) -> None:
        """Conclude a command that a redrive may still apply."""
        told = CommandOutcome(
            source=envelope.source,
            id=envelope.id,
            type=envelope.type,
            outcome=outcome,
            code=code,
            detail=detail,
            errors=errors or {},
            final=False,
        )
        self._conclude_otherwise(incoming, envelope, told)

    # What became of a record

    def _conclude_applied(
        self, incoming: Incoming, envelope: Envelope, command: Command, ids: CommandIds, decided: Decided
    ) -> None:
        self.results.counts["applied"] += 1
        events = decided.events if isinstance(decided, Answer) else decided
        event_ids = [ids.event(index) for index in range(len(events))]
        for event_id, event in zip(event_ids, events, strict=True):
            self.results.append_event(incoming, envelope, event_id, event, self._next_version(event))
        version, revision = self._version(command), self.results.revision_of(incoming.identity)
        if isinstance(decided, Answer):
            body = _tell_applied(envelope, version, event_ids, decided, revision)
        elif version is None:
            raise LookupError(f"{type(command).__name__} was applied to a stream without a root: {command.stream_id}")
        else:
            body = encode_applied(envelope.source, envelope.id, envelope.type, version, event_ids, revision)
        self.results.conclude(incoming, envelope, ids, Outcome.APPLIED, body, event_ids)

    def _conclude_rejected(self, incoming: Incoming, envelope: Envelope, command: Command, rejection: Rejected) -> None:
        expired = rejection.code is Code.EXPIRED
        self.results.counts["expired" if expired else f"rejected: {rejection.code}"] += 1
        told = CommandOutcome(
            source=envelope.source,
            id=envelope.id,
            type=envelope.type,
            outcome=Outcome.EXPIRED if expired else Outcome.REJECTED,
            code=rejection.code,
            detail=rejection.detail,
            retryable=rejection.code in RETRYABLE,
            version=self._version(command),
        )
        self._conclude_otherwise(incoming, envelope, told)

    def _conclude_otherwise(self, incoming: Incoming, envelope: Envelope, outcome: CommandOutcome) -> None:
        ids = CommandIds(envelope.source, envelope.id)
        outcome.revision = self.results.revision_of(incoming.identity)
        self.results.conclude(incoming, envelope, ids, outcome.outcome, OUTCOME.encode(outcome), ())


def _tell_applied(
    envelope: Envelope, version: int | None, event_ids: Sequence[str], answer: Answer, revision: int
) -> bytes:
    """Write the outcome of a command with more to say than its events; what it found may be of another stream."""
    return OUTCOME.encode(
        CommandOutcome(
            source=envelope.source,
            id=envelope.id,
            type=envelope.type,
            outcome=Outcome.APPLIED,
            revision=revision,
            version=version,
            event_ids=tuple(event_ids),
            refused=answer.refused,
            found=answer.found,
        )
    )
