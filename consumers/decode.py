"""From records to commands, or to the reason why not; needs no database."""

from collections.abc import Iterable
from dataclasses import dataclass

from consumers.inbox import Identity
from consumers.permissions import Permissions
from consumers.records import Moment, Record, moment_at
from domain.commands import Command
from messages import codec
from messages.envelope import Envelope
from messages.refusals import Reason, RefusedError


@dataclass(slots=True)
class Incoming:
    """A record as far as it could be read. Not frozen: one is made for each record, and frozen costs twice.

    Args:
        record: as it came.
        now: the record's Kafka time, by which it is decided.
        identity: what makes the command the same one; absent without an envelope.
        envelope: absent when nobody can be answered: unreadable, or a source that may not speak here.
        command: absent when refused.
        fingerprint: what tells two commands of one id apart; empty without an envelope.
        refusal: why there is no command.
    """

    record: Record
    now: Moment
    envelope: Envelope | None = None
    identity: Identity | None = None
    command: Command | None = None
    fingerprint: bytes = b""
    refusal: RefusedError | None = None


class Decoder:
    """Reads records.

    Args:
        limits: what a record may be.
        permissions: who may send what.
        age_limit_seconds: how far a command's `ce_time` may be behind its record's time.
        skew_seconds: how far it may be ahead of it, because clocks differ.
    """

    def __init__(
        self,
        *,
        limits: codec.Limits,
        permissions: Permissions | None = None,
        age_limit_seconds: float = 7 * 86_400,
        skew_seconds: float = 300,
    ) -> None:
        self._limits = limits
        self._permissions = permissions or Permissions()
        self._sources_are_bound = not self._permissions.is_open
        self._age_limit_microseconds = round(age_limit_seconds * 1_000_000)
        self._skew_microseconds = round(skew_seconds * 1_000_000)

    def decode(self, records: Iterable[Record]) -> list[Incoming]:
        """Read each record; what cannot be read carries its refusal."""
        return [self._decode_one(record) for record in records]

    def _decode_one(self, record: Record) -> Incoming:
        incoming = Incoming(record, moment_at(record.timestamp))
        data = record.value
        try:
            self._limits.check(record.key, record.value, record.headers)
            envelope, content_type, data = codec.read(record.headers, record.value, self._limits)
            if self._sources_are_bound:
                self._permissions.check_source(envelope)
            incoming.envelope = envelope
            incoming.identity = Identity(envelope.source, envelope.id)
            forbidden = None if envelope.reply_to is None else self._permissions.refuse_reply(envelope)
            command = codec.decode(envelope, content_type, data, self._limits)
            if record.key != command.stream_id.encode():
                raise RefusedError(Reason.KEY_MISMATCH, f"the record's key is not {command.stream_id}")  # noqa: TRY301 - the one way out
            incoming.fingerprint = codec.hash_command(envelope, command)
            if forbidden is not None:
                raise forbidden
            # Last, with the fingerprint made: one that was decided in time is a duplicate, however late it comes again.
            self._check_age(envelope, incoming.now)
            incoming.command = command
        except RefusedError as refusal:
            incoming.refusal = refusal
            if incoming.envelope is not None and not incoming.fingerprint:
                incoming.fingerprint = codec.hash_refused(incoming.envelope, data)
        return incoming

    def _check_age(self, envelope: Envelope, now: Moment) -> None:
        age_microseconds = now.microseconds - envelope.time_microseconds
        if age_microseconds > self._age_limit_microseconds:
            raise RefusedError(Reason.TOO_OLD, f"ce_time is {_seconds(age_microseconds)} before the record's time")
        if age_microseconds < -self._skew_microseconds:
            raise RefusedError(
                Reason.FROM_THE_FUTURE, f"ce_time is {_seconds(-age_microseconds)} after the record's time"
            )


def _seconds(microseconds: int) -> str:
    return f"{microseconds / 1_000_000:.3f} s"
