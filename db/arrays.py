"""Statements that carry a whole batch: `unnest` of one array per column, so their text never varies with its size."""

from collections.abc import Iterable

from sqlalchemy import Column
from sqlalchemy.dialects import postgresql

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped


def type_of(column: Column[object]) -> str:
    """Give a column's type as DDL writes it, such as `UUID` or `TIMESTAMP WITH TIME ZONE`."""
    return column.type.compile(_DIALECT)


def unnest(columns: Iterable[Column[object]]) -> str:
    """Give `unnest(CAST(:a AS T[]), …)` with a parameter for each column, named as it is."""
    return f"unnest({', '.join(f'CAST(:{column.name} AS {type_of(column)}[])' for column in columns)})"


def names(columns: Iterable[Column[object]]) -> str:
    """Give the columns' names as a list, quoted."""
    return ", ".join(f'"{column.name}"' for column in columns)
