"""Raw records that are kept in tables, as they may be shown: data masked, and nothing of what nobody knows."""

from base64 import b64encode
from typing import Any, Final

from consumers.stored_records import StoredRecord
from domain.values import is_id
from messages.masking import MASK, HiddenError, may_hold_secret, read_masked
from messages.structured import is_structured

SHOWN_HEADERS: Final = frozenset(
    {
        *("content-type", "traceparent", "tracestate"),
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_dataschema"),
        *("ce_correlationid", "ce_causationid", "ce_expirytime", "ce_expectedversion", "ce_replyto"),
    }
)
"""Headers whose values are shown; others may be anything, and print as `***`."""


def show_key(key: bytes | None) -> str | None:
    """Give a record's key; of one that is no id, which may be an e-mail as well, only the size."""
    if key is None:
        return None
    text = key.decode(errors="replace")
    return text if is_id(text) else f"({len(key)} bytes, no id)"


def describe(record: StoredRecord) -> dict[str, Any]:
    """Give a record as JSON has it, masked: place, key, headers, and data; of data that is not shown, its size."""
    headers = {name: _header(name, value) for name, value in record.headers}
    whole_event = is_structured(headers.get("content-type") or "")
    place = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
    }
    shown: dict[str, Any] = place | {"key": show_key(record.key), "headers": headers}
    if record.value is None:
        return shown | {"data": None}
    try:
        return shown | {"data": read_masked(None if whole_event else headers.get("ce_type"), record.value)}
    except HiddenError as hidden:
        return shown | {"data": None, "data_bytes": hidden.size_bytes}


def _header(name: str, value: bytes | None) -> str | None:
    if value is None:
        return None
    return value.decode(errors="replace") if name in SHOWN_HEADERS else MASK


def encode(record: StoredRecord) -> dict[str, Any]:
    """Give a record whole, its bytes in Base64; but never the value of one that may hold a secret."""
    withheld = may_hold_secret(record.headers, record.value)
    whole: dict[str, Any] = {
        "key": _base64(record.key),
        "value": None if withheld else _base64(record.value),
        "headers": [[name, _base64(value)] for name, value in record.headers],
    }
    return whole | {"value_withheld_bytes": len(record.value or b"")} if withheld else whole


def _base64(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode()
