"""CloudEvents' Kafka binding, structured mode: the whole event as one JSON object in the value (binding, 3.3).

The object is read member by member, and the text of `data` is handed on as it came: so it is validated, limited and
hashed exactly as the value of a record in binary mode is.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64Error
from json import JSONDecoder
from typing import Final

from messages.refusals import Reason, RefusedError

MEDIA_TYPE: Final = "application/cloudevents"
"""What the `content-type` of every record in structured mode begins with, in any case (binding, 3)."""

_BATCH: Final = MEDIA_TYPE + "-batch"
_UTF_8: Final = re.compile(r""".*charset\s*=\s*+(?!"?(utf-8|us-ascii)"?\s*(;|$))""", re.IGNORECASE | re.DOTALL)
_NAME: Final = re.compile(r"[a-z0-9]+")
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_TEXTUAL: Final = frozenset(
    {"specversion", "id", "source", "type", "time", "subject", "dataschema", "datacontenttype", "data_base64"}
)
_OCTETS: Final = "application/octet-stream"
_DECODER: Final = JSONDecoder()


def is_structured(content_type: str) -> bool:
    """Tell whether a record's `content-type` says structured mode; everything else is binary mode."""
    return content_type[: len(MEDIA_TYPE)].lower() == MEDIA_TYPE


def read_event(
    content_type: str, value: bytes | None, *, max_attributes: int
) -> tuple[dict[str, str], str | None, bytes | None]:
    """Read an event in the JSON format.

    Args:
        content_type: of the record; names the event format.
        value: of the record, not nested too deep.
        max_attributes: how many members the object may have.

    Returns:
        The attributes by their names, each as its canonical text; the content type of the data; the data. An event
        in which `data_base64` has no `datacontenttype` may be anything (JSON format, 3.1.2): octets.

    Raises:
        RefusedError: `unreadable`, when the event format is another one, or the value is no event in it; `too-large`.
    """
    _check_format(content_type)
    try:
        members = _read_members((value or b"").decode(), max_attributes)
        data = members.pop("data", None)
        attributes = {name: _read_attribute(name, text) for name, text in members.items() if text != "null"}
    except (ValueError, RecursionError) as error:
        raise RefusedError(Reason.UNREADABLE, f"the value is no event in JSON: {_plainly(error)}") from None
    encoded = attributes.pop("data_base64", None)
    content = attributes.pop("datacontenttype", None)
    if encoded is None:
        return attributes, content, None if data is None else data.encode()
    if data is not None:
        raise RefusedError(Reason.UNREADABLE, "data and data_base64 exclude each other")
    try:
        return attributes, content or _OCTETS, b64decode(encoded, validate=True)
    except (NotBase64Error, ValueError):
        raise RefusedError(Reason.UNREADABLE, "data_base64 is not Base64") from None


def _check_format(content_type: str) -> None:
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    if media_type.startswith(_BATCH):
        raise RefusedError(Reason.UNREADABLE, "CloudEvents has no batches on Kafka: send each event in its own record")
    if media_type != MEDIA_TYPE + "+json":
        raise RefusedError(
            Reason.UNREADABLE, f"event format {media_type} is not known; {MEDIA_TYPE}+json is, and binary mode"
        )
    if _UTF_8.match(parameters):
        raise RefusedError(Reason.UNREADABLE, f"JSON is UTF-8, but the content-type says{parameters}")


def _read_members(text: str, most: int) -> dict[str, str]:
    """Give the members of a JSON object, each as its text; names that no attribute has and repeated ones are refused.

    Raises:
        ValueError: this is not JSON, or no such object; the message never quotes it.
        RefusedError: `too-large`.
    """
    members: dict[str, str] = {}
    at, end = _skip(text, 0, "{"), len(text)
    while True:
        name, at = _DECODER.raw_decode(text, at)
        if not isinstance(name, str) or (name != "data_base64" and not _NAME.fullmatch(name)):
            raise ValueError("an attribute's name has other characters than a-z and 0-9")
        if name in members:
            raise ValueError(f"{name[:64]} comes twice")
        begin = _skip(text, at, ":")
        _, at = _DECODER.raw_decode(text, begin)
        members[name] = text[begin:at]
        if len(members) > most:
            raise RefusedError(Reason.TOO_LARGE, f"an event of more than {most} members")
        at = _space(text, at)
        if text[at : at + 1] == "}":
            break
        at = _skip(text, at, ",")
    if _space(text, at + 1) != end:
        raise ValueError("something follows the event")
    return members


def _skip(text: str, at: int, mark: str) -> int:
    """Give the place behind a mark, without the white space around it."""
    at = _space(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"{mark} expected at character {at}")
    return _space(text, at + 1)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _read_attribute(name: str, text: str) -> str:
    """Give an attribute's value as its canonical text (specification, "Type System"; JSON format, 2.2)."""
    value = _DECODER.decode(text)
    match value:
        case str():
            return _without_surrogates(name, value)
        case bool() if name not in _TEXTUAL:
            return text
        case int() if name not in _TEXTUAL and -(2**31) <= value < 2**31:
            return str(value)
        case _:
            raise RefusedError(Reason.UNREADABLE, f"attribute {name[:64]} has a value of a type that it cannot have")


def _without_surrogates(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RefusedError(Reason.UNREADABLE, f"attribute {name[:64]} has half of a surrogate pair") from None
    return value


def _plainly(error: Exception) -> str:
    """Say what is wrong without quoting the value: it may hold personal data."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return "nested too deep"
    return str(error)
