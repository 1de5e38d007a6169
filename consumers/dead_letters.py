"""Records nobody could apply: kept whole in the table, published with their reason, cut to size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from consumers.records import Record, moment_of
from db.rows import RowType
from messages import ids
from messages.envelope import Envelope
from messages.refusals import Reason
from messages.registry import DEAD_LETTER_TYPE
from outbox.append import Outbox, row

DETAIL_CHARACTERS: Final = 2_000
"""How much of an explanation is kept."""

MAX_KEY_BYTES: Final = 1_024
"""A longer key is not published, only kept in the table: ours have 36 bytes."""

ROWS: Final = RowType(
    "dead_letters",
    (
        "id",
        "topic",
        "partition",
        "record_offset",
        "timestamp",
        "key",
        "value",
        "header_names",
        "header_values",
        "source",
        "command_id",
        "type",
        "reason",
        "detail",
    ),
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A record, and why it cannot be applied."""

    record: Record
    envelope: Envelope | None
    reason: Reason
    detail: str


def storable(content: str) -> str:
    """Make text fit for PostgreSQL: it has no NUL and no lone surrogates; cut to `DETAIL_CHARACTERS`."""
    return content[:DETAIL_CHARACTERS].replace("\0", "\ufffd").encode(errors="replace").decode()


async def insert(session: AsyncSession, letters: Sequence[Refused]) -> None:
    """Keep the records whole."""
    await ROWS.insert(session, [_row(letter) for letter in letters])


def _row(letter: Refused) -> tuple[object, ...]:
    record, envelope = letter.record, letter.envelope
    return (
        ids.dead_letter_id(record.topic, record.partition, record.offset, record.timestamp),
        record.topic,
        record.partition,
        record.offset,
        moment_of(record),
        record.key,
        record.value,
        [storable(name) for name, _ in record.headers],
        [value for _, value in record.headers],
        envelope and envelope.source,
        envelope and envelope.id,
        envelope and envelope.type,
        letter.reason,
        storable(letter.detail),
    )


def append(
    outbox: Outbox,
    letter: Refused,
    *,
    topic: str,
    source: str,
    time_microseconds: int,
    max_bytes: int,
) -> None:
    """Publish a dead letter: the original record with headers that say why, cut so that Kafka takes it.

    Args:
        outbox: of the batch's transaction.
        letter: the record and its fault.
        topic: of the dead letters.
        source: who we are, for the outbox's column.
        time_microseconds: the record's Kafka time.
        max_bytes: of original headers and value together; the headers that say why are a few kilobytes more.
    """
    record = letter.record
    reasons = _reasons(letter)
    key, value = record.key, record.value
    headers = [(storable(name), content) for name, content in record.headers]
    size = sum(len(name.encode()) + len(content or b"") for name, content in headers)
    if size > max_bytes // 4:
        reasons["dead-letter-headers-left-out"] = str(len(headers))
        headers, size = [], 0
    if value is not None and len(value) > max_bytes - size:
        reasons["dead-letter-cut-from-bytes"] = str(len(value))
        value = value[: max_bytes - size]
    if key is not None and len(key) > MAX_KEY_BYTES:
        reasons["dead-letter-key-left-out-bytes"] = str(len(key))
        key = None
    outbox.append(
        row(
            topic=topic,
            key=key,
            event_id=reasons["dead-letter-id"],
            type=DEAD_LETTER_TYPE,
            source=source,
            time_microseconds=time_microseconds,
            headers=headers + [(name, content.encode()) for name, content in reasons.items()],
            body=value,
        )
    )


def _reasons(letter: Refused) -> dict[str, str]:
    record = letter.record
    return {
        "dead-letter-id": ids.dead_letter_id(record.topic, record.partition, record.offset, record.timestamp),
        "dead-letter-reason": letter.reason,
        "dead-letter-detail": storable(letter.detail),
        "dead-letter-topic": record.topic,
        "dead-letter-partition": str(record.partition),
        "dead-letter-offset": str(record.offset),
        "dead-letter-timestamp": str(record.timestamp),
    }
