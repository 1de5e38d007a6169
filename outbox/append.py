"""Adding to the outbox: buffered while a batch is decided, written by one statement after its last state write."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from db.rows import RowType
from messages.keys import slot_of

ROWS: Final = RowType(
    "outbox",
    (
        "recorded_at",
        "time",
        "sequence",
        "slot",
        "event_id",
        "topic",
        "key",
        "type",
        "source",
        "correlation_id",
        "causation_id",
        "traceparent",
        "dataschema",
        "content_type",
        "extensions",
        "header_names",
        "header_values",
        "body",
    ),
    version=3,
    microseconds=("recorded_at", "time"),
    or_now=("recorded_at",),
)

Row = tuple[Any, ...]
"""What will be one row: values in the order of `ROWS.columns`."""

Headers = Iterable[tuple[str, bytes | None]]


def row(
    *,
    topic: str,
    key: bytes | None,
    event_id: str,
    type: str,  # noqa: A002 - CloudEvents' name
    source: str,
    time_microseconds: int,
    recorded_microseconds: int | None = None,
    sequence: int | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    traceparent: str | None = None,
    dataschema: str | None = None,
    content_type: str | None = None,
    extensions: str | None = None,
    headers: Headers | None = None,
    body: bytes | None = None,
) -> Row:
    """Make a row of named values. (Whoever makes one for every command writes the tuple itself: that is four times
    as fast.)

    Args:
        topic: where it will go.
        key: the record's key, which orders it.
        event_id, type, source, dataschema: CloudEvents attributes; `event_id` is UUID text.
        time_microseconds: the CloudEvents time, since 1970, UTC.
        recorded_microseconds: when it was first written, which repeats keep; absent: now, by the transaction's time.
        sequence: its number in its stream, for events.
        correlation_id, causation_id, traceparent: where it comes from.
        content_type: of the body.
        extensions: further attributes, as a JSON object.
        headers: exactly these are published, instead of those built from the attributes, such as for a dead letter.
        body: the encoded bytes as they will be sent.
    """
    names, values = (None, None) if headers is None else ([name for name, _ in headers], [each for _, each in headers])
    return (
        recorded_microseconds,
        time_microseconds,
        sequence,
        slot_of(key),
        event_id,
        topic,
        key,
        type,
        source,
        correlation_id,
        causation_id,
        traceparent,
        dataschema,
        content_type,
        extensions,
        names,
        values,
        body,
    )


_TOPIC: Final = ROWS.columns.index("topic")


def sent_to(topic: str, message: Row) -> Row:
    """Give the same message as a row for another topic."""
    return (*message[:_TOPIC], topic, *message[_TOPIC + 1 :])


class Outbox:
    """The messages that one transaction will publish, in order.

    Whoever appends for a stream holds the lock on its root row, and writes after its last state write: only so is the
    order of positions, for one key, the order of commits (docs/architecture.md, "Why order holds").
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        """What was appended."""

    def append(self, message: Row) -> None:
        """Add a message."""
        self.rows.append(message)

    async def write(self, session: AsyncSession) -> None:
        """Insert what was appended, in one statement, and forget it.

        Rows get their positions in the order in which they were appended.
        """
        await ROWS.insert(session, self.rows)
        self.rows.clear()
