"""A record as one line, or as one JSON object."""

import json
from typing import Any

from app.broker import KafkaRecord


def as_object(record: KafkaRecord) -> dict[str, Any]:
    """Give a record as JSON has it: place, key, headers, and data parsed where it is JSON."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _text(record.key),
        "headers": {name: _text(value) for name, value in record.headers},
        "data": _data(record.value),
    }


def as_line(record: KafkaRecord) -> str:
    """Give a record as a person scans it: place, type, number in its stream, key, data."""
    headers = {name: _text(value) or "" for name, value in record.headers}
    sequence = headers.get("ce_sequence", "").lstrip("0")
    number = f" #{sequence}" if sequence else ""
    data = json.dumps(_data(record.value), ensure_ascii=False)
    return f"{record.partition}@{record.offset:<8} {headers.get('ce_type', '?')}{number} {_text(record.key)} {data}"


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")


def _data(value: bytes | None) -> Any:  # noqa: ANN401 - whatever JSON has
    if value is None:
        return None
    try:
        return json.loads(value)
    except ValueError:
        return _text(value)
