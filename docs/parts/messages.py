# ruff: noqa: INP001 - documents are no room, so they are no package either
"""Commands, events, the outcome, codes and reasons, from the registry, the published schemas and the handlers."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from docs.parts.causes import causes_of
from docs.parts.tables import table
from domain.rejections import RETRYABLE, Code
from domain.tables import RULES
from domain.values import STORABLE
from messages.outcome import Outcome
from messages.refusals import Reason
from messages.registry import COMMANDS, EVENTS, OUTCOME, MessageType
from messages.schemas import PUBLISHED

WHEN: Final[Mapping[Reason, tuple[str, str]]] = {
    Reason.UNREADABLE: (
        "an attribute is missing or malformed, the data is missing or no JSON, or the event format is not JSON",
        "only if the attributes could be read",
    ),
    Reason.UNKNOWN_TYPE: ("`ce_type` is no command of this release", "yes"),
    Reason.INVALID_DATA: ("the JSON does not fit the command's schema; the outcome's `errors` says where", "yes"),
    Reason.KEY_MISMATCH: ("the record's key is not the id of the command's stream", "yes"),
    Reason.ID_CONFLICT: (
        "its source and id came before with another type, `ce_time` or content; the first outcome stands",
        "no",
    ),
    Reason.SOURCE_FORBIDDEN: ("`SQUAD_COMMAND_SOURCES` does not let this `ce_source` send this `ce_type`", "no"),
    Reason.REPLY_FORBIDDEN: (
        "`ce_replyto` is not among `SQUAD_REPLY_TOPICS`",
        "yes, on the outcomes' topic only",
    ),
    Reason.TOO_LARGE: (
        "the record, its headers or its JSON is over the [limits](#limits) of the settings",
        "only for JSON in binary mode that is nested too deep or has too many values",
    ),
    Reason.UNFETCHABLE: (
        "an operator stepped over it, because the Kafka client cannot read its batch; only its place is known",
        "no",
    ),
    Reason.TOO_OLD: (
        (
            "its `ce_time` is older than `SQUAD_COMMAND_AGE_LIMIT_SECONDS` at the record's Kafka time, or not after the"
            " inbox's floor, so that nobody knows any more whether it was decided"
        ),
        "yes; not for one that may have been decided",
    ),
    Reason.FROM_THE_FUTURE: (
        "`ce_time` is more than `SQUAD_COMMAND_SKEW_SECONDS` after the record's Kafka time",
        "yes",
    ),
    Reason.UNEXPECTED: (
        "it can be read, but applying it failed `SQUAD_FAILURE_ATTEMPTS` times: a fault of the service or of its data",
        "yes; and `parked` for later commands of its streams",
    ),
}
"""When a record gets a reason, and whether its producer gets an outcome. Closed: a new reason needs its line here."""


def render_commands() -> str:
    """Give a section for each command."""
    return "\n\n".join(_render_command(message) for message in COMMANDS.values())


def _render_command(message: MessageType) -> str:
    causes = causes_of(RULES[message.form])
    events = ", ".join(_linked(EVENTS[event]) for event in causes.events) or "none"
    codes = ", ".join(f"`{code}`" for code in causes.codes) or "nothing"
    ends = f"Causes: {events}.\n\nMay be rejected with, in the order of the checks: {codes}."
    return "\n\n".join([*_head(message), ends])


def render_events() -> str:
    """Give a section for each event."""
    return "\n\n".join(_render_event(message) for message in EVENTS.values())


def _render_event(message: MessageType) -> str:
    causing = [command for command in COMMANDS.values() if message.form in causes_of(RULES[command.form]).events]
    return "\n\n".join([*_head(message), f"Caused by: {', '.join(map(_linked, causing))}."])


def render_outcome() -> str:
    """Give the fields of the outcome, and the outcomes there are."""
    return f"Data of `{OUTCOME.name}`:\n\n{_fields(OUTCOME)}\n\nOutcomes in its schema: {_listed(Outcome)}."


BY_HEADER = {
    Code.EXPIRED: "any command, by its `ce_expirytime`",
    Code.VERSION_MISMATCH: "any command, by its `ce_expectedversion`",
}
"""Codes that no handler raises: conditions that a producer may set on any command (consumers/decide.py)."""


def render_codes() -> str:
    """Give every rejection code: whether a new attempt can succeed, and who raises it."""
    raised = {name: causes_of(RULES[message.form]).codes for name, message in COMMANDS.items()}
    rows = [
        (
            f"`{code}`",
            "yes" if code in RETRYABLE else "no",
            _listed(name for name, codes in raised.items() if code in codes) or BY_HEADER.get(code, "no command"),
        )
        for code in Code
    ]
    return table(("code", "retryable", "of"), rows)


def render_reasons() -> str:
    """Give every dead-letter reason."""
    rows = [(f"`{reason}`", *WHEN[reason]) for reason in Reason]
    return table(("reason", "when", "is there an outcome too?"), rows)


def _head(message: MessageType) -> list[str]:
    stream = message.form.stream_kind
    return [
        f"### `{message.name}`",
        f"{(message.form.__doc__ or '').strip()} Class `{message.form.__name__}`; key: `{stream}_id`.",
        _fields(message),
    ]


def _fields(message: MessageType) -> str:
    schema = json.loads((PUBLISHED / f"{message.name}.json").read_text())
    required = set(schema["required"])
    rows = [
        (f"`{name}`", _type(described, schema.get("$defs", {})), _presence(name, described, required))
        for name, described in schema["properties"].items()
    ]
    return table(("field", "type", "presence"), rows)


def _presence(name: str, described: Mapping[str, Any], required: set[str]) -> str:
    if name in required:
        return "always"
    default = described.get("default")
    return "optional" if default is None else f"optional, `{json.dumps(default)}`"


def _type(described: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Say in words what a schema allows."""
    if "$ref" in described:
        return _type(definitions[described["$ref"].rpartition("/")[2]], definitions)
    if "enum" in described:
        return f"one of {_listed(described['enum'])}"
    if "anyOf" in described:
        return " or ".join(_type(option, definitions) for option in described["anyOf"])
    marks = {"x-personal": ", personal data", "x-secret": ", secret"}
    return _plain_type(described, definitions) + "".join(text for mark, text in marks.items() if described.get(mark))


def _plain_type(described: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    match described["type"]:
        case "array":
            most = f"at most {described['maxItems']} of: " if "maxItems" in described else "list of: "
            return most + _type(described["items"], definitions)
        case "object" if "properties" in described:
            inner = (f"`{name}`: {_type(each, definitions)}" for name, each in described["properties"].items())
            return f"object of {'; '.join(inner)}"
        case "object":
            return "object of text by name"
        case "string":
            return _text_type(described)
        case "integer" if "maximum" in described:
            return f"integer, {described['minimum']:,} to {described['maximum']:,}"
        case other:
            return str(other)


def _text_type(described: Mapping[str, Any]) -> str:
    match described.get("format"):
        case "uuid":
            return "id"
        case "date-time":
            return "time, RFC 3339"
        case None:
            return "text" + _length(described) + _looking(described.get("pattern"))
        case name:
            return f"{name}{_length(described)}"


def _looking(pattern: str | None) -> str:
    if pattern is None:
        return ""
    return " without NUL" if pattern == STORABLE.pattern else f" like `{pattern}`"


def _length(described: Mapping[str, Any]) -> str:
    if "maxLength" not in described:
        return ""
    least, most = described.get("minLength", 0), described["maxLength"]
    return f", {most} characters" if least == most else f", {least} to {most} characters"


def _linked(message: MessageType) -> str:
    return f"[`{message.name}`](#{message.name.replace('.', '')})"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)
