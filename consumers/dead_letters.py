"""Records nobody could apply: kept whole in the table, published with their reason, cut to size, without secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers import stored_records
from consumers.culprits import Culprit
from consumers.records import Record, moment_of, record_bytes
from db.rows import RowType
from messages import ids
from messages.dead_letter import DETAIL_CHARACTERS, cut
from messages.envelope import Envelope
from messages.masking import may_hold_secret
from messages.refusals import Reason
from messages.registry import DEAD_LETTER_TYPE
from outbox.append import Outbox, row

ROWS: Final = RowType(
    "dead_letters",
    ("id", *stored_records.NAMES, "source", "command_id", "type", "reason", "detail"),
)

KEPT_BYTES: Final = 64 * 1024 * 1024
"""Of a record, what is kept at most. The driver cannot send a gigabyte at once, and says so by cutting the connection,
which would be tried again for ever; and a record that came compressed can be that large."""


NOTE_ATTEMPTS: Final = text(
    """
    UPDATE dead_letters
    SET attempts = :attempts, first_at = now() - make_interval(secs => :failing_seconds)
    WHERE id = CAST(:id AS uuid)
    """
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A record, and why it cannot be applied.

    Args:
        record: as it came.
        envelope: as far as it could be read.
        reason: which kind of fault.
        detail: for people.
        culprit: what is known besides of one that failed however often it was tried.
    """

    record: Record
    envelope: Envelope | None
    reason: Reason
    detail: str
    culprit: Culprit | None = None

    @property
    def id(self) -> str:
        """The dead letter's id, from where its record is."""
        record = self.record
        return ids.dead_letter_id(record.topic, record.partition, record.offset, record.timestamp)


def storable(content: str) -> str:
    """Make text fit for PostgreSQL: it has no NUL and no lone surrogates; cut to `DETAIL_CHARACTERS`."""
    return content[:DETAIL_CHARACTERS].replace("\0", "\ufffd").encode(errors="replace").decode()


async def insert(session: AsyncSession, letters: Sequence[Refused]) -> None:
    """Keep the records whole; one that is kept already, because its partition is read again, stays as it is."""
    await ROWS.insert(session, [_row(letter) for letter in letters], skip_existing=True)
    for letter in letters:
        if letter.culprit is not None:
            noted = {"attempts": letter.culprit.attempts, "failing_seconds": letter.culprit.failing_seconds}
            await session.execute(NOTE_ATTEMPTS, {"id": letter.id, **noted})


def _row(letter: Refused) -> tuple[object, ...]:
    record, envelope = letter.record, letter.envelope
    key, value, headers, cut_off = _kept(record)
    return (
        letter.id,
        record.topic,
        record.partition,
        record.offset,
        moment_of(record),
        key,
        value,
        [storable(name) for name, _ in headers],
        [content for _, content in headers],
        envelope and envelope.source,
        envelope and envelope.id,
        envelope and envelope.type,
        letter.reason,
        storable(letter.detail + cut_off),
    )


def _kept(record: Record) -> tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]], str]:
    """Give what is kept of a record, key, value and headers, and what is to be said of what is not."""
    key, value, headers = record.key, record.value, record.headers
    size = record_bytes(record)
    if size <= KEPT_BYTES:
        return key, value, headers, ""
    share = KEPT_BYTES // 4
    if size - len(key or b"") - len(value or b"") > share:
        headers = ()
    return (
        key and key[:share],
        value and value[: 2 * share],
        headers,
        f"; of its {size} bytes only some are kept",
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
    record, reasons = letter.record, _reasons(letter)
    own = [(storable(name), content) for name, content in record.headers]
    withhold = may_hold_secret(record.headers, record.value)
    published = cut(record.key, record.value, own, reasons, max_bytes=max_bytes, withhold=withhold)
    outbox.append(
        row(
            topic=topic,
            key=published.key,
            event_id=reasons["dead-letter-id"],
            type=DEAD_LETTER_TYPE,
            source=source,
            time_microseconds=time_microseconds,
            headers=published.headers,
            body=published.value,
        )
    )


def _reasons(letter: Refused) -> dict[str, str]:
    record = letter.record
    return {
        "dead-letter-id": letter.id,
        "dead-letter-reason": letter.reason,
        "dead-letter-detail": storable(letter.detail),
        "dead-letter-topic": record.topic,
        "dead-letter-partition": str(record.partition),
        "dead-letter-offset": str(record.offset),
        "dead-letter-timestamp": str(record.timestamp),
    }
