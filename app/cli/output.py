"""How `squad` prints: lines for people, or one JSON value a line."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one value a line.")]


def print_json(value: object) -> None:
    """Print one JSON value on a line."""
    typer.echo(json.dumps(value, default=str))


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print names and values in two columns."""
    width = max(map(len, fields))
    for name, value in fields.items():
        typer.echo(f"{name:<{width}}  {value}")
