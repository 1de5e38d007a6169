"""Records that fail however often they are tried: what is known of one, and what is done with its stream."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from consumers.records import Record
from messages import codec
from messages.envelope import Envelope
from messages.refusals import RefusedError


class Policy(StrEnum):
    """What is done when a command cannot be applied; a setting says it for each type."""

    PARK = "park"
    """A dead letter; later commands that write any of its streams wait behind it."""
    CONTINUE = "continue"
    """A dead letter; its streams go on without it."""
    STOP = "stop"
    """No dead letter: the partition is stopped in front of it."""


DEFAULT_POLICY: Final = Policy.PARK


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """A record that is to become a dead letter, unless it turns out to be known, unreadable or parked.

    Args:
        detail: what went wrong, without anything that the record says: that may be personal.
        attempts: how often it was tried alone.
        failing_seconds: how long ago the first of these attempts ended.
        parks: whether later commands of its streams wait behind it.
    """

    detail: str
    attempts: int
    failing_seconds: float
    parks: bool


def envelope_of(record: Record) -> Envelope | None:
    """Give a record's envelope as far as anybody can read it, whatever else may be wrong."""
    try:
        return codec.read(record.headers, record.value, codec.Limits())[0]
    except RefusedError:
        return None


def name_of(record: Record) -> str:
    """Say which command a record is, by its place and its attributes; they are not personal."""
    envelope = envelope_of(record)
    named = "type unknown, id unknown" if envelope is None else f"type {envelope.type}, id {envelope.id}"
    return f"the record at offset {record.offset} ({named})"
