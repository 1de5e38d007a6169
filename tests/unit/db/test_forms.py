"""State objects and tables are one description: a column that one side lacks would be lost without a word."""

from dataclasses import fields
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest

from db import forms
from db.models import Base
from domain import state

FORMS: list[forms.Form[Any]] = [
    forms.USERS,
    forms.SQUADS,
    forms.MEMBERS,
    forms.PROJECTS,
    forms.TASKS,
    forms.FEEDBACK,
    forms.USAGE,
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.table.name)
def test_state_object_has_every_column_of_its_table_in_its_fields(form):
    columns = {column.name for column in form.table.columns}
    names = [field.name for field in fields(form.make) if field.name != "loaded"]

    assert columns == set(names)
    assert [column.name for column in form.columns] == names
    assert fields(form.make)[-1].name == "loaded", "a row and what it was loaded with are given by place"


def test_every_class_of_the_state_has_a_form():
    classes = {
        each for each in vars(state).values() if isinstance(each, type) and "loaded" in getattr(each, "__slots__", ())
    }

    assert classes == {form.make for form in FORMS}


def test_password_hash_is_never_loaded():
    assert "password_hash" not in forms.USERS.select_list("t")
    assert "password_hash" in forms.USERS.rows.columns


def test_nullable_columns_and_optional_fields_agree():
    for form in FORMS:
        hints = get_type_hints(form.make)
        for column in form.columns:
            assert column.nullable == (NoneType in get_args(hints[column.name])), f"{form.table.name}.{column.name}"


def test_every_foreign_key_is_indexed_and_restricts():
    for table in Base.metadata.tables.values():
        leading = {index.columns.values()[0].name for index in table.indexes} | {
            table.primary_key.columns.values()[0].name
        }
        for key in table.foreign_keys:
            assert key.ondelete == "RESTRICT", f"{table.name}.{key.parent.name}"
            assert key.parent.name in leading, f"{table.name}.{key.parent.name} has no index"
