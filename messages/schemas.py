"""JSON Schemas (2020-12) of every message, taken from the classes and published as files.

`python -m messages.schemas` writes them anew; a test holds the files against the code.
"""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Literal

from pydantic.json_schema import GenerateJsonSchema

from domain.values import Personal, Secret, Shape
from messages.marks import form_in, hints_of, marks_of
from messages.registry import COMMANDS, EVENTS, OUTCOME, MessageType

PUBLISHED: Final = Path(__file__).parent / "published" / "schemas"


def build_schema(message_type: MessageType, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    """Give the schema of a message's data.

    Args:
        message_type: which message.
        mode: `validation` for what we read, `serialization` for what we write.
    """
    schema = message_type.adapter.json_schema(mode=mode, schema_generator=GenerateJsonSchema)
    for name, properties in _forms(message_type.form, schema):
        _annotate(name, properties)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": message_type.dataschema,
        "title": message_type.name,
        "description": (message_type.form.__doc__ or "").partition("\n")[0],
        **{key: value for key, value in schema.items() if key not in {"title", "description"}},
    }


def _forms(form: type[Any], schema: dict[str, Any]) -> Iterator[tuple[type[Any], dict[str, Any]]]:
    """Give each class of a message with its properties in the schema: its own, and of those nested in it."""
    yield form, schema["properties"]
    for name, definition in schema.get("$defs", {}).items():
        nested = _nested(form, name)
        if nested is not None:
            yield nested, definition["properties"]


def _nested(form: type[Any], name: str) -> type[Any] | None:
    found = (form_in(hint) for hint in hints_of(form).values())
    return next((nested for nested in found if nested is not None and nested.__name__ == name), None)


def _annotate(form: type[Any], properties: dict[str, Any]) -> None:
    """Say what predicates check and what is personal, where the class says so; pydantic does not know these marks."""
    hints = hints_of(form)
    for field in fields(form):
        described = properties[field.name]
        described.pop("title", None)
        for mark in marks_of(hints[field.name]):
            if isinstance(mark, Shape):
                shape = {"pattern": mark.pattern, "format": mark.format}
                _textual(described).update({name: value for name, value in shape.items() if value is not None})
            elif isinstance(mark, Personal):
                described["x-personal"] = True
            elif isinstance(mark, Secret):
                described["x-secret"] = True


def _textual(described: dict[str, Any]) -> dict[str, Any]:
    """Give the part of a property that describes the text itself: inside an array or an optional one, its item."""
    if "items" in described:
        return _textual(described["items"])
    options = [option for option in described.get("anyOf", ()) if option.get("type") == "string"]
    return options[0] if options else described


def build_all() -> dict[str, str]:
    """Give every published file's name and content."""
    schemas = {message.name: build_schema(message, "validation") for message in COMMANDS.values()}
    schemas |= {message.name: build_schema(message, "serialization") for message in (*EVENTS.values(), OUTCOME)}
    return {f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def write_all(directory: Path = PUBLISHED) -> None:
    """Write every schema into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in build_all().items():
        (directory / name).write_text(content)


if __name__ == "__main__":
    write_all()
