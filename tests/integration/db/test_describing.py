"""Errors as they are logged: what and where, and nothing of what was to be stored."""

import pytest
from sqlalchemy import text

from db.describing import describe, origin, trace

SECRET = "ada.lovelace@example.org"
INSERT = "INSERT INTO users (id, email, email_key, created_at, version) VALUES (:id, :email, :email, now(), 1)"


async def error_of(database, statement: str, *parameters: dict[str, str]) -> Exception:
    try:
        async with database.transaction() as session:
            for each in parameters:
                await session.execute(text(statement), each)
    except Exception as error:  # noqa: BLE001 - whatever the driver makes of it
        return error
    raise AssertionError("nothing went wrong")


async def test_clash_names_the_constraint_and_not_the_value(database):
    ids = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002")
    error = await error_of(database, INSERT, *({"id": each, "email": SECRET} for each in ids))

    said = describe(error)

    assert "UniqueViolationError" in said
    assert "uq_users_email_key" in said
    assert "sqlstate 23505" in said
    assert SECRET not in said + trace(error)
    assert SECRET not in str(error).partition("DETAIL")[0], "parameters are hidden everywhere"


async def test_place_of_an_error_is_ours_and_not_the_drivers(database):
    error = await error_of(database, "SELECT CAST(:email AS integer)", {"email": SECRET})

    assert origin(error).startswith(", in error_of (test_describing.py:")


@pytest.mark.parametrize("statement", ["SELECT CAST(CAST(:email AS text) AS uuid)", "SELECT CAST(:email AS integer)"])
async def test_value_that_an_error_quotes_is_not_told(database, statement):
    error = await error_of(database, statement, {"email": SECRET})

    assert SECRET not in describe(error) + trace(error)
    assert "Error" in describe(error)


def test_handlers_error_is_told_by_its_place_and_not_by_its_message():
    def handler(secret: str) -> None:
        raise KeyError(secret)

    with pytest.raises(KeyError) as failed:
        handler(SECRET)

    assert describe(failed.value) == "KeyError"
    assert "in handler" in trace(failed.value)
    assert SECRET not in trace(failed.value)
