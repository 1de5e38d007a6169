"""CloudEvents' Kafka binding, binary mode: attributes in `ce_` headers, data in the value (binding 1.0.2, 3.2)."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final

from messages.refusals import Reason, RefusedError

Headers = Iterable[tuple[str, bytes | None]]

_TRACE: Final = {"traceparent": "hop-traceparent", "tracestate": "hop-tracestate"}
"""Transport headers of W3C Trace Context, and the names, which no attribute can have, under which they are given."""

_NO_REASON_TO_REFUSE: Final = frozenset({"traceparent", "tracestate", *_TRACE.values()})
"""A trace that cannot be read is no trace, and nothing else (Trace Context, 3.2.2.1)."""


def read_attributes(headers: Headers) -> dict[str, str]:
    """Read the attributes from a record's headers, without their prefix; `content-type` keeps its name.

    A null header is an absent attribute. Of the other headers, only those of the trace are of interest.

    Raises:
        RefusedError: `unreadable`, when an attribute is not UTF-8 or comes twice.
    """
    attributes: dict[str, str] = {}
    for name, value in headers:
        attribute = _attribute_of(name)
        if attribute is None or value is None:
            continue
        if attribute in attributes:
            attributes[attribute] = _refuse(attribute, f"header {name} comes twice")
            continue
        try:
            attributes[attribute] = value.decode()
        except UnicodeDecodeError:
            attributes[attribute] = _refuse(attribute, f"header {name} is not UTF-8")
    return attributes


@lru_cache(maxsize=1024)
def _attribute_of(header: str) -> str | None:
    """Give the attribute that a header holds, if any; the same few headers come with every record."""
    if header[:3] == "ce_":
        return header[3:]
    return header if header == "content-type" else _TRACE.get(header)


def _refuse(attribute: str, why: str) -> str:
    """Refuse the record for an attribute, or give a value that says nothing where that is no reason to."""
    if attribute not in _NO_REASON_TO_REFUSE:
        raise RefusedError(Reason.UNREADABLE, why)
    return ""


def is_json(content_type: str | None) -> bool:
    """Tell whether a content type says JSON (`*/json` or `*/*+json`: JSON format, 3.1.1); none is taken for JSON."""
    if content_type is None or content_type == "application/json":
        return True
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type.endswith(("/json", "+json"))


def format_time(moment: datetime) -> str:
    """Write a UTC time as RFC 3339 has it, with `Z`."""
    return moment.replace(tzinfo=None).isoformat() + "Z"
