"""A record as one line, or as one JSON object; personal data is masked, and data that nobody knows is not shown."""

import json
from collections.abc import Mapping
from typing import Any

from app.topic_logs import KafkaRecord
from messages.masking import HiddenError, may_hold_secret, read_masked
from messages.structured import is_structured


def as_object(record: KafkaRecord, *, unmasked: bool = False) -> dict[str, Any]:
    """Give a record as JSON has it: place, key, headers, and data; of data that is not shown, its size.

    Args:
        record: as Kafka has it.
        unmasked: show all data as it is, but for messages with secrets.
    """
    headers = _headers(record)
    shown: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _text(record.key),
        "headers": headers,
    }
    try:
        return shown | {"data": _data(record, headers, unmasked=unmasked)}
    except HiddenError as hidden:
        return shown | {"data": None, "data_bytes": hidden.size_bytes}


def as_line(record: KafkaRecord, *, unmasked: bool = False) -> str:
    """Give a record as a person scans it: place, type, number in its stream, key, data.

    Args:
        record: as Kafka has it.
        unmasked: show all data as it is, but for messages with secrets.
    """
    headers = _headers(record)
    sequence = (headers.get("ce_sequence") or "").lstrip("0")
    number = f" #{sequence}" if sequence else ""
    try:
        data = json.dumps(_data(record, headers, unmasked=unmasked), ensure_ascii=False)
    except HiddenError as hidden:
        data = f"({hidden.size_bytes} bytes, not shown)"
    return f"{record.partition}@{record.offset:<8} {headers.get('ce_type') or '?'}{number} {_text(record.key)} {data}"


def _headers(record: KafkaRecord) -> dict[str, str | None]:
    return {name: _text(value) for name, value in record.headers}


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")


def _data(record: KafkaRecord, headers: Mapping[str, str | None], *, unmasked: bool) -> Any:  # noqa: ANN401 - whatever JSON has
    if record.value is None:
        return None
    if not unmasked or may_hold_secret(record.headers, record.value):
        is_whole_event = is_structured(headers.get("content-type") or "")
        return read_masked(None if is_whole_event else headers.get("ce_type"), record.value)
    try:
        return json.loads(record.value)
    except ValueError:
        return _text(record.value)
