"""Indexes, held against what needs one."""

from sqlalchemy import Table

from db.models import Base


def leading_columns(table: Table) -> set[str]:
    """The columns that a key or an index begins with; one that leaves rows out may leave out only those without."""
    found = {next(iter(table.primary_key.columns)).name}
    for index in table.indexes:
        only = index.dialect_options["postgresql"]["where"]
        first = next(iter(index.columns), None)
        if first is not None and (only is None or str(only) == f"{first.name} IS NOT NULL"):
            found.add(first.name)
    return found


def test_every_foreign_key_is_indexed() -> None:
    for table in Base.metadata.sorted_tables:
        pointing = {key.parent.name for key in table.foreign_keys}
        assert pointing <= leading_columns(table), table.name


def test_no_index_is_the_beginning_of_another() -> None:
    for table in Base.metadata.sorted_tables:
        columns = {
            index.name: [column.name for column in index.columns]
            for index in table.indexes
            if index.dialect_options["postgresql"]["where"] is None
        }
        for name, begin in columns.items():
            longer = [each for other, each in columns.items() if other != name and each[: len(begin)] == begin]
            assert longer == [], name
