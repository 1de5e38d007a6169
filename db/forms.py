"""Which state object is stored in which table: the pairs from which loading and writing are built."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar, get_type_hints

from sqlalchemy import Column, Table, Uuid

from db.models import Base
from db.rows import RowType
from domain import state

Stored = TypeVar("Stored", bound=state.Row)


@dataclass(frozen=True, slots=True)
class Form(Generic[Stored]):
    """How objects of one class lie in their table; the class's fields, `loaded` aside, are columns by name.

    Args:
        make: the class.
        table: where its objects are stored.
        columns: in the order of the fields.
        enums: by place, the columns whose text is a member of an enumeration.
        values: gives an object's fields in that order.
        rows: how they travel to the server.
    """

    make: Callable[..., Stored]
    table: Table
    columns: Sequence[Column[Any]]
    enums: Sequence[tuple[int, type[StrEnum]]]
    values: Callable[[Stored], tuple[Any, ...]]
    rows: RowType

    def build(self, row: Sequence[Any]) -> Stored:
        """Make an object of a row that was selected with `select_list`; it remembers the row."""
        loaded = tuple(row)
        if not self.enums:
            return self.make(*loaded, loaded)
        arguments = list(loaded)
        for place, enum in self.enums:
            arguments[place] = enum(arguments[place])
        return self.make(*arguments, loaded)

    def select_list(self, *aliases: str) -> str:
        """Give the columns for a SELECT, ids as text; of several aliases, one at most has a row."""
        return ", ".join(self._selected(column, aliases) for column in self.columns)

    def _selected(self, column: Column[Any], aliases: Sequence[str]) -> str:
        if column.name in self.rows.kept:
            return "NULL"
        value = _first(column.name, aliases)
        return f"CAST({value} AS text)" if isinstance(column.type, Uuid) else value


def _first(column: str, aliases: Sequence[str]) -> str:
    one = [f'{alias}."{column}"' for alias in aliases]
    return one[0] if len(one) == 1 else f"COALESCE({', '.join(one)})"


def _form(make: type[Stored], table_name: str, *, version: int = 1, kept: Collection[str] = ()) -> Form[Stored]:
    table = Base.metadata.tables[table_name]
    hints = get_type_hints(make)
    names = [field.name for field in fields(make) if field.name != "loaded"]  # type: ignore[arg-type] # all are dataclasses
    enums = [
        (place, hints[name])
        for place, name in enumerate(names)
        if isinstance(hints[name], type) and issubclass(hints[name], StrEnum)
    ]
    rows = RowType(table_name, names, version=version, kept=kept)
    return Form(make, table, [table.c[name] for name in names], enums, attrgetter(*names), rows)


USERS: Final = _form(state.User, "users", version=2, kept=("password_hash",))
SQUADS: Final = _form(state.Squad, "squads")
MEMBERS: Final = _form(state.Member, "squad_members")
PROJECTS: Final = _form(state.Project, "projects")
TASKS: Final = _form(state.Task, "tasks")
FEEDBACK: Final = _form(state.Feedback, "feedback")
USAGE: Final = _form(state.Usage, "usage_metrics")
