"""From an outbox row to a Kafka record: CloudEvents 1.0, Kafka protocol binding, binary mode (its section 3.2)."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

_SPECVERSION: Final = ("ce_specversion", b"1.0")

Headers = list[tuple[str, bytes | None]]


class Record(NamedTuple):
    """What is sent to Kafka; `row` is the outbox row, see `wrap`."""

    position: int
    topic: str
    key: bytes | None
    value: bytes | None
    row: Sequence[Any]

    def headers(self) -> Headers:
        """Build the record's headers.

        Rows that carry headers of their own, such as dead letters, are sent with exactly those. This runs for every
        event, so it is flat, and what many events share is encoded once. It is a method, called when the record is
        written into a batch, because the headers of a page, all alive at once, keep the garbage collector busy for
        longer than everything else takes.
        """
        (
            _,
            _,
            _,
            event_id,
            kind,
            source,
            time,
            sequence,
            correlation_id,
            causation_id,
            traceparent,
            dataschema,
            recorded_at,
            content_type,
            extensions,
            header_names,
            header_values,
            _,
        ) = self.row
        if header_names is not None:
            return list(zip(header_names, header_values, strict=True))
        key = self.key
        headers: Headers = [
            ("ce_id", event_id),
            ("ce_time", time),
            ("ce_recordedtime", recorded_at),
            *_shared(kind, source, dataschema, content_type),
        ]
        if key is not None:
            headers += (("ce_subject", key), ("ce_partitionkey", key))
        if sequence is not None:
            headers.append(("ce_sequence", b"%019d" % sequence))
        if correlation_id is not None:
            headers.append(("ce_correlationid", correlation_id))
        if causation_id is not None:
            headers.append(("ce_causationid", causation_id))
        if traceparent is not None:
            origin = traceparent.encode()
            headers += (("ce_traceparent", origin), ("traceparent", origin))
        if extensions is not None:
            headers += _extended(json.loads(extensions))
        return headers


def wrap(rows: Iterable[Sequence[Any]]) -> list[Record]:
    """Give the records of outbox rows.

    Args:
        rows: position, topic, key, event_id, type, source, time, sequence, correlation_id, causation_id, traceparent,
            dataschema, recorded_at, content_type, extensions, header_names, header_values, body. The id, the times
            (RFC 3339, UTC), correlation and causation are encoded already; extensions are JSON as text.
    """
    return [Record(row[0], row[1], row[2], row[17], row) for row in rows]


@lru_cache(maxsize=4096)
def _shared(kind: str, source: str, dataschema: str | None, content_type: str | None) -> tuple[tuple[str, bytes], ...]:
    """The headers that are alike for all messages of a type."""
    headers = [_SPECVERSION, ("ce_type", kind.encode()), ("ce_source", source.encode())]
    if dataschema is not None:
        headers.append(("ce_dataschema", dataschema.encode()))
    if content_type is not None:
        headers.append(("content-type", content_type.encode()))
    return tuple(headers)


def _extended(extensions: dict[str, object]) -> Headers:
    """The headers of extensions that seldom are there; the trace is told to the transport too, like its parent."""
    headers: Headers = [(f"ce_{name}", _text(value)) for name, value in sorted(extensions.items())]
    if "tracestate" in extensions:
        headers.append(("tracestate", _text(extensions["tracestate"])))
    return headers


def _text(value: object) -> bytes:
    """An extension's value as CloudEvents writes it (specification, section 3.1)."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()
