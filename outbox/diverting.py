"""A refused outbox row as a dead letter: its own headers and those that say why, cut so that Kafka takes it."""

from typing import Final

from messages import ids
from outbox import wire
from outbox.refused import Refused
from outbox.wire import Record

REASON: Final = "refused-by-kafka"
"""What `dead-letter-reason` says; the other reasons are of records that cannot be read as commands."""

_MAX_KEY_BYTES: Final = 1_024
_DETAIL_CHARACTERS: Final = 2_000


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
        "dead-letter-detail": refused.reason[:_DETAIL_CHARACTERS],
        "dead-letter-topic": record.topic,
        "dead-letter-position": str(record.position),
    }
    key, value, headers = record.key, record.value, record.headers()
    size = sum(len(name.encode()) + len(content or b"") for name, content in headers)
    if size > max_bytes // 4:
        reasons["dead-letter-headers-left-out"] = str(len(headers))
        headers, size = [], 0
    if value is not None and len(value) > max_bytes - size:
        reasons["dead-letter-cut-from-bytes"] = str(len(value))
        value = value[: max_bytes - size]
    if key is not None and len(key) > _MAX_KEY_BYTES:
        reasons["dead-letter-key-left-out-bytes"] = str(len(key))
        key = None
    headers = headers + [(name, content.encode()) for name, content in reasons.items()]
    names, values = [name for name, _ in headers], [content for _, content in headers]
    row = (record.position, topic, key, *(None,) * 12, names, values, value)
    (letter,) = wire.wrap([row])
    return letter
