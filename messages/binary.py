"""CloudEvents' Kafka binding, binary mode: attributes in `ce_` headers, data in the value (binding 1.0.2, 3.2)."""

from collections.abc import Iterable
from datetime import datetime

from messages.refusals import Reason, RefusedError

Headers = Iterable[tuple[str, bytes | None]]


def read_attributes(headers: Headers) -> dict[str, str]:
    """Read the attributes from a record's headers, without their prefix; `content-type` keeps its name.

    A null header is an absent attribute. Other headers are no business of the envelope's.

    Raises:
        RefusedError: `unreadable`, when an attribute is not UTF-8 or comes twice.
    """
    attributes: dict[str, str] = {}
    for name, value in headers:
        if name[:3] == "ce_":
            attribute = name[3:]
        elif name == "content-type":
            attribute = name
        else:
            continue
        if value is None:
            continue
        if attribute in attributes:
            raise RefusedError(Reason.UNREADABLE, f"header {name} comes twice")
        try:
            attributes[attribute] = value.decode()
        except UnicodeDecodeError:
            raise RefusedError(Reason.UNREADABLE, f"header {name} is not UTF-8") from None
    return attributes


def is_json(content_type: str | None) -> bool:
    """Tell whether a content type says JSON (RFC 8259, RFC 6839 `+json`); none at all is taken for JSON."""
    if content_type is None or content_type == "application/json":
        return True
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def format_time(moment: datetime) -> str:
    """Write a UTC time as RFC 3339 has it, with `Z`."""
    return moment.replace(tzinfo=None).isoformat() + "Z"
