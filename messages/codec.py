"""From a record to a command, and from a command to a record."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from domain.commands import Command
from messages import binary, repeated, structured
from messages.envelope import Envelope, build_envelope
from messages.refusals import Reason, RefusedError
from messages.registry import COMMAND_TYPES, COMMANDS

MAX_FAULTS: Final = 20
"""How many faulty fields an outcome names; a record can have thousands."""

MAX_FAULT_CHARACTERS: Final = 200
"""How much of a field's name and fault is told; a name can be as long as the record."""

_EXTENSION: Final = re.compile(r"(?!data$)[a-z0-9]{1,20}")

_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")

_NOT_JSON: Final = "JSON"

# Possessive, and content with a string that never ends: else each of its escaped quotes is tried as its beginning.
_TOKENS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]|,', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a record may be, beyond which it is refused unread.

    Args:
        record_bytes: of key, value and headers together.
        headers: how many.
        header_bytes: of all names and values together.
        json_depth: how deep arrays and objects may nest.
        json_values: how many members of objects and elements of arrays there may be, roughly: commas are counted.
    """

    record_bytes: int = 1_048_576
    headers: int = 64
    header_bytes: int = 16_384
    json_depth: int = 32
    json_values: int = 10_000

    def check(self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> None:
        """Refuse a record that is too large, before anything is read from it.

        Raises:
            RefusedError: `too-large`.
        """
        if len(headers) > self.headers:
            raise RefusedError(Reason.TOO_LARGE, f"{len(headers)} headers, more than {self.headers}")
        in_headers = sum([len(name) + len(header or b"") for name, header in headers])
        if in_headers > self.header_bytes:
            raise RefusedError(Reason.TOO_LARGE, f"headers of {in_headers} bytes, more than {self.header_bytes}")
        size = in_headers + len(key or b"") + len(value or b"")
        if size > self.record_bytes:
            raise RefusedError(Reason.TOO_LARGE, f"a record of {size} bytes, more than {self.record_bytes}")

    def check_json(self, value: bytes, *, around: int = 0) -> None:
        """Refuse JSON that nests too deep, or has so many parts that only saying what is wrong with each is too much.

        Args:
            value: the JSON.
            around: how many levels are not the command's own, but of an envelope around it.

        Raises:
            RefusedError: `too-large`.
        """
        if value.count(b"[") + value.count(b"{") <= self.json_depth + around and value.count(b",") < self.json_values:
            return
        depth, values = 0, 1
        for token in _TOKENS.finditer(value):
            first = token[0][:1]
            depth += 1 if first in b"[{" else -1 if first in b"]}" else 0
            values += first == b","
            if depth > self.json_depth + around:
                raise RefusedError(Reason.TOO_LARGE, f"JSON nested deeper than {self.json_depth}")
            if values > self.json_values:
                raise RefusedError(Reason.TOO_LARGE, f"JSON of more than {self.json_values} values")


def decode(envelope: Envelope, content_type: str | None, data: bytes | None, limits: Limits) -> Command:
    """Read the command from its data.

    Raises:
        RefusedError: `unreadable`, `unknown-type`, `invalid-data` or `too-large`.
    """
    message_type = COMMANDS.get(envelope.type)
    if message_type is None:
        raise RefusedError(Reason.UNKNOWN_TYPE, f"unknown command type {envelope.type}")
    if not binary.is_json(content_type):
        raise RefusedError(Reason.UNREADABLE, f"content-type {content_type} is not JSON")
    if data is None:
        raise RefusedError(Reason.UNREADABLE, "the command has no data")
    limits.check_json(data)
    try:
        command: Command = message_type.decode(data)
    except ValidationError as error:
        raise _refusal(envelope.type, error) from None
    if data.count(b":") > message_type.required and (name := repeated.find(data)) is not None:
        raise RefusedError(
            Reason.INVALID_DATA, f"data does not fit {envelope.type}", {_tell_name(name): "Field comes twice"}
        )
    return command


def _refusal(type_name: str, error: ValidationError) -> RefusedError:
    errors = tell_faults(error)
    if _NOT_JSON in errors:
        return RefusedError(Reason.UNREADABLE, errors[_NOT_JSON])
    return RefusedError(Reason.INVALID_DATA, f"data does not fit {type_name}", errors)


def tell_faults(error: ValidationError) -> dict[str, str]:
    """Say what is wrong with a command's data, by field, without telling any value: it may be personal.

    The name of an unknown field is told too, for it is a typing error as a rule; but only if it looks like a name.
    """
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return {_NOT_JSON: faults[0]["msg"]}
    return {
        ".".join(_tell_name(part) for part in fault["loc"])[:MAX_FAULT_CHARACTERS] or "data": fault["msg"][
            :MAX_FAULT_CHARACTERS
        ]
        for fault in faults[:MAX_FAULTS]
    }


def _tell_name(part: int | str) -> str:
    return str(part) if isinstance(part, int) or _FIELD.fullmatch(part) else "(no name of a field)"


def hash_command(envelope: Envelope, command: Command) -> bytes:
    """Give what tells two commands of one id apart: SHA-256 of type, time and the command as we encode it."""
    return _hash(envelope, COMMAND_TYPES[type(command)].encode(command))


def hash_refused(envelope: Envelope, data: bytes | None) -> bytes:
    """Give the same for a command that could not be read: the raw bytes of its data count."""
    return _hash(envelope, data or b"")


def _hash(envelope: Envelope, content: bytes) -> bytes:
    identity = f"{envelope.type}\n{envelope.time_microseconds}\n".encode()
    return hashlib.sha256(identity + content).digest()


def read(
    headers: Sequence[tuple[str, bytes | None]], value: bytes | None, limits: Limits
) -> tuple[Envelope, str | None, bytes | None]:
    """Read a record's envelope, the content type of its data, and its data, in either content mode.

    Raises:
        RefusedError: `unreadable`, or in structured mode `too-large`.
    """
    attributes = binary.read_attributes(headers)
    content_type = attributes.get("content-type")
    # Nearly all records say exactly this, or nothing.
    if content_type is None or content_type == "application/json" or not structured.is_structured(content_type):
        return build_envelope(attributes), content_type, value
    limits.check_json(value or b"", around=1)
    inside, content_type, data = structured.read_event(content_type, value, max_attributes=limits.headers)
    # The transport's trace is the record's own business; all other headers are those of the value, if anything.
    transport = {name: text for name, text in attributes.items() if name[:4] == "hop-"}
    return build_envelope(transport | inside), content_type, data


def encode_command(
    command: Command,
    *,
    command_id: str,
    source: str,
    time: datetime,
    extensions: Mapping[str, str] | None = None,
) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Write a command as a producer sends it: key, value, headers.

    Args:
        command: what is asked for.
        command_id: unique within `source`; UUID version 7 recommended.
        source: who asks, a URI reference.
        time: when it was asked, UTC; a retry repeats it.
        extensions: further attributes, such as `correlationid`.

    Raises:
        ValueError: an extension has a name that CloudEvents does not allow.
    """
    for name in extensions or ():
        if not _EXTENSION.fullmatch(name):
            raise ValueError(f"{name!r} is no name of an extension: a to z, 0 to 9, at most 20 of them")
    message_type = COMMAND_TYPES[type(command)]
    attributes = {
        "specversion": "1.0",
        "id": command_id,
        "source": source,
        "type": message_type.name,
        "time": binary.format_time(time),
        "subject": command.stream_id,
        "dataschema": message_type.dataschema,
        **(extensions or {}),
    }
    headers = [("content-type", b"application/json")]
    headers += [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    return command.stream_id.encode(), message_type.encode(command), headers
