"""Adding to the outbox: buffered while a batch is decided, written by one statement after its last state write."""

import json
from datetime import datetime
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
    version=2,
)


class Outbox:
    """The messages that one transaction will publish, in order.

    Whoever appends for a stream holds the lock on its root row, and writes after its last state write: only so is the
    order of positions, for one key, the order of commits (docs/architecture.md, "Why order holds").
    """

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        """What was appended, as it travels to the server."""

    def __len__(self) -> int:
        return len(self.rows)

    def append(
        self,
        *,
        topic: str,
        key: bytes | None,
        event_id: str,
        type: str,  # noqa: A002 - CloudEvents' name
        source: str,
        time: datetime,
        recorded_at: datetime,
        sequence: int | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        dataschema: str | None = None,
        content_type: str | None = None,
        body: bytes | None = None,
    ) -> None:
        """Add an event or outcome; its headers are built from these attributes when it is published.

        Args:
            topic: where it will go.
            key: the record's key, which orders it.
            event_id, type, source, time, dataschema: CloudEvents attributes; `event_id` is UUID text.
            recorded_at: when it was first written, usually the transaction's own time; repeats keep it.
            sequence: its number in its stream, for events.
            correlation_id, causation_id, traceparent, tracestate: where it comes from.
            content_type: of the body.
            body: the encoded bytes as they will be sent.
        """
        self.rows.append(
            (
                recorded_at,
                time,
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
                None if tracestate is None else json.dumps({"tracestate": tracestate}),
                None,
                None,
                body,
            )
        )

    def append_raw(
        self,
        *,
        topic: str,
        key: bytes | None,
        event_id: str,
        type: str,  # noqa: A002 - CloudEvents' name
        source: str,
        time: datetime,
        recorded_at: datetime,
        headers: list[tuple[str, bytes | None]],
        body: bytes | None,
    ) -> None:
        """Add a record that is published with exactly these headers, such as a dead letter."""
        names, values = [name for name, _ in headers], [value for _, value in headers]
        attributes = (None,) * 6
        self.rows.append(
            (
                recorded_at,
                time,
                None,
                slot_of(key),
                event_id,
                topic,
                key,
                type,
                source,
                *attributes,
                names,
                values,
                body,
            )
        )

    async def write(self, session: AsyncSession) -> None:
        """Insert what was appended, in one statement, and forget it.

        Rows get their positions in the order in which they were appended.
        """
        await ROWS.insert(session, self.rows)
        self.rows.clear()
