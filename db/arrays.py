"""Statements that carry a whole batch: `unnest` of one array per column, so their text never varies with its size."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ARRAY, Column, Table
from sqlalchemy.dialects import postgresql

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped


def type_of(column: Column[object]) -> str:
    """Give a column's type as DDL writes it, such as `UUID` or `TIMESTAMP WITH TIME ZONE`."""
    return column.type.compile(_DIALECT)


def unnest(columns: Iterable[Column[object]]) -> str:
    """Give `unnest(CAST(:a AS T[]), …)` with a parameter for each column, named as it is.

    Columns that are arrays themselves travel as text literals: `unnest` of a two-dimensional array flattens it.
    """
    arrays = (
        f"CAST(:{column.name} AS {'TEXT' if isinstance(column.type, ARRAY) else type_of(column)}[])"
        for column in columns
    )
    return f"unnest({', '.join(arrays)})"


def selected(columns: Iterable[Column[object]], alias: str) -> str:
    """Give the columns of an unnested row as a SELECT list, text literals cast back to arrays."""
    return ", ".join(
        f'CAST({alias}."{column.name}" AS {type_of(column)})'
        if isinstance(column.type, ARRAY)
        else f'{alias}."{column.name}"'
        for column in columns
    )


def names(columns: Iterable[Column[object]]) -> str:
    """Give the columns' names as a list, quoted."""
    return ", ".join(f'"{column.name}"' for column in columns)


def columns_of(table: Table, wanted: Sequence[str]) -> list[Column[object]]:
    """Give a table's columns by name, in the order asked for."""
    return [table.c[name] for name in wanted]


def text_array(values: Iterable[str | None]) -> str:
    """Write a text[] literal (PostgreSQL 8.15.2); `None` is NULL."""
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def bytes_array(values: Iterable[bytes | None]) -> str:
    """Write a bytea[] literal in hex format; `None` is NULL."""
    return "{" + ",".join("NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values) + "}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
