"""Indexes, held against what needs one."""

from db.models import Base


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
