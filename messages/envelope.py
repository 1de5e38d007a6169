"""A command's metadata, as CloudEvents 1.0 has it, and the limits it must keep."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from messages.refusals import Reason, RefusedError
from messages.trace import read_trace

# Section 5.6. Narrower than ISO 8601, which `datetime.fromisoformat` reads.
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_ATTRIBUTE_CHARACTERS = 255
"""For ids, sources and types: they are keys of tables."""

_DISALLOWED: Final = re.compile(
    "[\0-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17))
    + "]"
)
"""Control characters, halves of surrogate pairs and noncharacters (specification, "Type System", String)."""

MAX_VERSION_DIGITS = 18
"""Of an expected version: what fits into a bigint, whatever the digits."""


@dataclass(slots=True)
class Envelope:
    """The attributes of a command that we use. Not frozen: one is made for each record, and frozen costs twice.

    Args:
        id: unique within its source.
        source: who sent it.
        type: which command.
        time_microseconds: when it was sent, since 1970, UTC; a retry repeats it.
        correlation_id: of the whole conversation; the command's own id where the producer gave none.
        traceparent: W3C trace context of the origin, if any that is well-formed.
        tracestate: what vendors add to it, if any.
        expires_at: after which it is not to be applied any more (`expirytime`), if any.
        expected_version: the version that its stream must have (`expectedversion`), if any; 0: it must not exist.
        reply_to: the topic to which its outcome goes too (`replyto`), if any.
    """

    id: str
    source: str
    type: str
    time_microseconds: int
    correlation_id: str
    traceparent: str | None = None
    tracestate: str | None = None
    expires_at: datetime | None = None
    expected_version: int | None = None
    reply_to: str | None = None


_SELDOM: Final = frozenset(
    {
        *("traceparent", "hop-traceparent", "expirytime", "expectedversion", "replyto", "recordedtime"),
        *("causationid", "partitionkey"),
    }
)


def build_envelope(attributes: dict[str, str]) -> Envelope:
    """Take the envelope from attributes by their CloudEvents names.

    Raises:
        RefusedError: `unreadable`, when a required attribute is missing, or one that we read is empty, too long or
            malformed.
    """
    if attributes.get("specversion") != "1.0":
        raise RefusedError(Reason.UNREADABLE, "ce_specversion must be 1.0")
    command_id = _required(attributes, "id")
    envelope = Envelope(
        command_id,
        _required(attributes, "source"),
        _required(attributes, "type"),
        microseconds(parse_time(_required(attributes, "time"))),
        _required(attributes, "correlationid") if "correlationid" in attributes else command_id,
    )
    # Five attributes are all that most commands have, or six; subject and dataschema are not read.
    if not _SELDOM.isdisjoint(attributes):
        _add_seldom(envelope, attributes)
    return envelope


def _add_seldom(envelope: Envelope, attributes: dict[str, str]) -> None:
    """Read what few commands have; causation, recorded time and partition key are checked, but not used."""
    envelope.traceparent, envelope.tracestate = read_trace(attributes)
    if "expirytime" in attributes:
        envelope.expires_at = parse_time(attributes["expirytime"], "ce_expirytime")
    if "expectedversion" in attributes:
        envelope.expected_version = _version(attributes["expectedversion"])
    if "replyto" in attributes:
        envelope.reply_to = _required(attributes, "replyto")
    if "recordedtime" in attributes:
        parse_time(attributes["recordedtime"], "ce_recordedtime")
    if "causationid" in attributes:
        _required(attributes, "causationid")
    if "partitionkey" in attributes:
        _required(attributes, "partitionkey")


def _required(attributes: dict[str, str], name: str) -> str:
    value = attributes.get(name)
    # Nearly all are printable, and asking that costs little.
    if value and len(value) <= MAX_ATTRIBUTE_CHARACTERS and (value.isprintable() or not _DISALLOWED.search(value)):
        return value
    if not value:
        why = "is missing" if value is None else "is empty"
    elif len(value) > MAX_ATTRIBUTE_CHARACTERS:
        why = f"is longer than {MAX_ATTRIBUTE_CHARACTERS} characters"
    else:
        why = "has a character that no attribute may have"
    raise RefusedError(Reason.UNREADABLE, f"ce_{name} {why}")


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_VERSION_DIGITS):
        raise RefusedError(Reason.UNREADABLE, f"ce_expectedversion is not a version: {text[:64]}")
    return int(text)


def parse_time(text: str, name: str = "ce_time") -> datetime:
    """Read a time of RFC 3339, which always has an offset.

    Args:
        text: as it came.
        name: what to call it when it is malformed.

    Raises:
        RefusedError: `unreadable`.
    """
    if _RFC_3339.fullmatch(text) is None:
        raise _malformed_time(name, text)
    try:
        return datetime.fromisoformat(text) if text[-1] == "Z" else datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        # The form is right, the calendar has no such day.
        raise _malformed_time(name, text) from None


def _malformed_time(name: str, text: str) -> RefusedError:
    return RefusedError(Reason.UNREADABLE, f"{name} is not an RFC 3339 time with an offset: {text[:64]}")


def microseconds(moment: datetime) -> int:
    """Give a time in microseconds since 1970, UTC."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
