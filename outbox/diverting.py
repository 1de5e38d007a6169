"""A refused outbox row as a dead letter: its own headers and those that say why, cut so that Kafka takes it."""

from typing import Final

from messages import ids
from messages.dead_letter import DETAIL_CHARACTERS, cut
from outbox import wire
from outbox.refused import Refused
from outbox.wire import Record

REASON: Final = "refused-by-kafka"
"""What `dead-letter-reason` says; the other reasons are of records that cannot be read as commands."""


def divert(refused: Refused, *, topic: str, max_bytes: int) -> Record:
    """Give the dead letter of a refused row.

    Args:
        refused: the row's record and why it is refused.
        topic: of the dead letters.
        max_bytes: of the row's headers and body together; the headers that say why are a few kilobytes more.
    """
    record = refused.record
    reasons = {
        "dead-letter-id": ids.diverted_id(record.topic, record.position),
        "dead-letter-reason": REASON,
        "dead-letter-detail": refused.reason[:DETAIL_CHARACTERS],
        "dead-letter-topic": record.topic,
        "dead-letter-position": str(record.position),
    }
    published = cut(record.key, record.value, record.headers(), reasons, max_bytes=max_bytes)
    names, values = [name for name, _ in published.headers], [content for _, content in published.headers]
    row = (record.position, topic, published.key, *(None,) * 12, names, values, published.value)
    (letter,) = wire.wrap([row])
    return letter
