"""From records to commands, or to the reason why not; needs no database."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from consumers.records import Record, moment_of
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
        envelope: absent when nobody can be answered: unreadable, or a source that may not speak here.
        command: absent when refused.
        fingerprint: what tells two commands of one id apart; empty without an envelope.
        refusal: why there is no command.
    """

    record: Record
    now: datetime
    envelope: Envelope | None = None
    command: Command | None = None
    fingerprint: bytes = b""
    refusal: RefusedError | None = None


class Decoder:
    """Reads records.

    Args:
        limits: what a record may be.
        allowed_sources: the `source` values that may send commands; empty: any.
    """

    def __init__(self, *, limits: codec.Limits, allowed_sources: Collection[str] = ()) -> None:
        self._limits = limits
        self._allowed_sources = frozenset(allowed_sources)

    def decode(self, records: Iterable[Record]) -> list[Incoming]:
        """Read each record; what cannot be read carries its refusal."""
        return [self._decode_one(record) for record in records]

    def _decode_one(self, record: Record) -> Incoming:
        incoming = Incoming(record, moment_of(record))
        try:
            self._limits.check(record.key, record.value, record.headers)
            envelope, content_type = codec.read(record.headers)
            if self._allowed_sources and envelope.source not in self._allowed_sources:
                raise RefusedError(Reason.SOURCE_FORBIDDEN, f"source {envelope.source} may not send commands here")  # noqa: TRY301 - the one way out
            incoming.envelope = envelope
            command = codec.decode(envelope, content_type, record.value, self._limits)
            if record.key != command.stream_id.encode():
                raise RefusedError(Reason.KEY_MISMATCH, f"the record's key is not {command.stream_id}")  # noqa: TRY301 - the one way out
            incoming.command = command
            incoming.fingerprint = codec.hash_command(envelope, command)
        except RefusedError as refusal:
            incoming.refusal = refusal
            if incoming.envelope is not None:
                incoming.fingerprint = codec.hash_refused(incoming.envelope, record.value)
        return incoming
