"""How rows travel to the server: a batch's rows of a table as one array of a composite type.

A statement then has one parameter, its text never varies with the batch, and arrays within rows need no tricks. The
type, `<table>_row_<version>`, is made by a migration and never changed: a release that stores another column brings
another version, so that the code before it still runs on the new schema. Why neither an array for each column nor COPY
is told in ADR 0002.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class RowType:
    """The rows that our code writes to a table.

    Args:
        table: its name.
        columns: their names, in the type's order; the others get their defaults.
        version: of the composite type.
        microseconds: the columns whose times travel as microseconds since 1970, UTC: over a `datetime` the driver takes
            four times as long.
        or_now: those of them that are the transaction's own time where the row says nothing.
        literals: the columns of arrays that travel as PostgreSQL writes them, such as `{1,2}`.
        kept: the columns that nobody loads: an update leaves their values where the row says nothing, and takes them
            away where it says `''`.
    """

    table: str
    columns: Sequence[str]
    version: int = 1
    microseconds: Collection[str] = ()
    or_now: Collection[str] = ()
    literals: Mapping[str, str] = field(default_factory=dict)
    kept: Collection[str] = ()
    _statements: dict[str, TextClause] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """The composite type's name."""
        return f"{self.table}_row_{self.version}"

    async def insert(
        self, session: AsyncSession, rows: Sequence[tuple[Any, ...]], *, skip_existing: bool = False
    ) -> int:
        """Add rows, in order: a column that is numbered by default is numbered so.

        Args:
            session: in the batch's transaction.
            rows: values in the order of the columns, as the driver takes them; UUIDs may be text.
            skip_existing: leave out rows whose key is there already, instead of failing.

        Returns:
            How many were added. None at all: nothing is sent.

        Raises:
            sqlalchemy.exc.DBAPIError: what the server said.
        """
        if not rows:
            return 0
        return await self._execute(session, "skip" if skip_existing else "insert", rows)

    async def update(self, session: AsyncSession, rows: Sequence[tuple[Any, ...]]) -> int:
        """Give all columns of rows that exist, found by `id`, the values here.

        Returns:
            How many were found. None at all: nothing is sent.

        Raises:
            sqlalchemy.exc.DBAPIError: what the server said.
        """
        return await self._execute(session, "update", rows) if rows else 0

    async def _execute(self, session: AsyncSession, kind: str, rows: Sequence[tuple[Any, ...]]) -> int:
        statement = self._statements.get(kind)
        if statement is None:
            statement = self._statements[kind] = text(self._write(kind))
        result = await session.execute(statement, {"rows": rows})
        return result.rowcount if isinstance(result, CursorResult) else 0

    def _write(self, kind: str) -> str:
        if kind == "update":
            changes = ", ".join(f'"{name}" = {self._value(name, "t")}' for name in self.columns if name != "id")
            return (
                f"UPDATE {self.table} t SET {changes} FROM unnest(CAST(:rows AS {self.name}[])) AS x WHERE t.id = x.id"
            )
        names = ", ".join(f'"{name}"' for name in self.columns)
        conflict = "ON CONFLICT DO NOTHING" if kind == "skip" else ""
        return f"""
            INSERT INTO {self.table} ({names})
            SELECT {", ".join(map(self._value, self.columns))}
            FROM unnest(CAST(:rows AS {self.name}[])) WITH ORDINALITY AS x({names}, ordinality)
            ORDER BY x.ordinality
            {conflict}
            """

    def _value(self, column: str, existing: str | None = None) -> str:
        """Give the expression of a column's value; a double holds every microsecond until the year 2255.

        Args:
            column: which.
            existing: the alias of the row as it is, in an update.
        """
        value = f'x."{column}"'
        if column in self.microseconds:
            value = f"to_timestamp(CAST({value} AS double precision) / 1e6)"
        if column in self.or_now:
            value = f"COALESCE({value}, now())"
        if column in self.kept:
            given = value if existing is None else f'COALESCE({value}, {existing}."{column}")'
            value = f"NULLIF({given}, '')"
        if column in self.literals:
            value = f"CAST({value} AS {self.literals[column]})"
        return value
