"""How `squad` prints: lines for people, or one JSON value a line."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one value a line.")]


_UNBOUNDED: Final = 100_000

_COPIED: Final = frozenset({"id", "example", "stream", "behind"})
"""Columns of ids, which the next verb is given: they stay in one line, however narrow the terminal."""


def _check_reason(given: str) -> str:
    if not given.strip():
        raise typer.BadParameter("is empty")
    return given


Reason = Annotated[str, typer.Option(help="Why, for the audit.", callback=_check_reason)]
"""For verbs that change something; required, because it has no default."""


def print_json(value: object) -> None:
    """Print one JSON value on a line."""
    typer.echo(json.dumps(value, default=str))


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print names and values in two columns; values that have parts as JSON, which can be copied."""
    width = max(map(len, fields))
    for name, value in fields.items():
        shown = json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, Mapping | list) else value
        typer.echo(f"{name:<{width}}  {'' if shown is None else shown}".rstrip())


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows with the same names as a table; nothing for none."""
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table()
    for name in rows[0]:
        table.add_column(name, overflow="fold", no_wrap=name in _COPIED)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console = Console()
    # A file or a pipe has no width, and whoever reads it wants each row in a line.
    (console if console.is_terminal else Console(width=_UNBOUNDED)).print(table)


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows as JSON, one a line, or as a table."""
    if not as_json:
        print_table(rows)
        return
    for row in rows:
        print_json(row)
