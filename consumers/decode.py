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
    """

    def __init__(self, *, limits: codec.Limits, permissions: Permissions | None = None) -> None:
        self._limits = limits
        self._permissions = permissions or Permissions()
        self._sources_are_bound = not self._permissions.is_open

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
            incoming.command = command
        except RefusedError as refusal:
            incoming.refusal = refusal
            if incoming.envelope is not None and not incoming.fingerprint:
                incoming.fingerprint = codec.hash_refused(incoming.envelope, data)
        return incoming
