"""Where messages go, and the rows of the outbox that events and outcomes become.

Rows are tuples in the order of their columns, written out here because each command needs two of them.
"""

from dataclasses import dataclass
from typing import Final

from pydantic_core import to_json

from consumers.records import Moment
from domain.events import Event
from messages.envelope import Envelope
from messages.keys import slot_of
from messages.registry import EVENTS, OUTCOME
from outbox.append import Row

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


def event_row(topics: Topics, now: Moment, envelope: Envelope, event_id: str, event: Event, sequence: int) -> Row:
    """Give the row of an event, `sequence` being its number in its stream."""
    message_type, key = EVENTS[type(event)], event.stream_id.encode()
    return (
        None,
        now.microseconds,
        sequence,
        slot_of(key),
        event_id,
        topics.events,
        key,
        message_type.name,
        topics.source,
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


def outcome_row(
    topics: Topics,
    key: str,
    correlation_id: str,
    command_id: str,
    outcome_id: str,
    body: bytes,
    decided_microseconds: int,
    recorded_microseconds: int | None,
) -> Row:
    """Give the row of an outcome; the same values give the same row, to the byte."""
    encoded = key.encode() or None
    return (
        recorded_microseconds,
        decided_microseconds,
        None,
        slot_of(encoded),
        outcome_id,
        topics.outcomes,
        encoded,
        OUTCOME.name,
        topics.source,
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
