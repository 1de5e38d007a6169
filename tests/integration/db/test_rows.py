"""Rows travel as composite types: what the code sends, what the types have, and what the tables take are one."""

import pytest
from sqlalchemy import text

from consumers import dead_letters, inbox
from db import forms
from outbox import append
from tests.making import NOON

FORMS = (forms.USERS, forms.SQUADS, forms.MEMBERS, forms.PROJECTS, forms.TASKS, forms.FEEDBACK, forms.USAGE)
ROW_TYPES = [form.rows for form in FORMS] + [inbox.ROWS, dead_letters.ROWS, append.ROWS]

ATTRIBUTES = text(
    """
    SELECT attname, format_type(atttypid, atttypmod)
    FROM pg_attribute
    WHERE attrelid = CAST(:relation AS regclass) AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
    """
)


@pytest.mark.parametrize("rows", ROW_TYPES, ids=lambda rows: rows.name)
async def test_type_has_what_the_code_sends_in_the_types_of_the_table(async_db, rows):
    of_type = [tuple(row) for row in await async_db.execute(ATTRIBUTES, {"relation": rows.name})]
    of_table = dict(tuple(row) for row in await async_db.execute(ATTRIBUTES, {"relation": rows.table}))

    assert [name for name, _ in of_type] == [*rows.columns]
    travels = {**dict.fromkeys(rows.microseconds, "bigint"), **dict.fromkeys(rows.literals, "text")}
    assert of_type == [(name, travels.get(name, of_table[name])) for name in rows.columns]


async def test_rows_are_added_in_order_and_odd_values_arrive_as_they_were(database):
    texts = ["a", 'b"c', "d\\e", "", "{f,g}", "(h,i)", "NULL", "ü\n\t"]
    contents = [b"\x00\xff", b"", None, b"abc"]
    base = dict.fromkeys(dead_letters.ROWS.columns) | {
        "topic": "t",
        "partition": 0,
        "timestamp": NOON,
        "header_names": texts,
        "header_values": contents,
        "reason": "r",
        "detail": "d",
    }
    rows = [
        tuple((base | {"id": f"00000000-0000-0000-0000-{9 - number:012}", "record_offset": number}).values())
        for number in range(5)
    ]
    async with database.transaction() as session:
        assert await dead_letters.ROWS.insert(session, rows) == 5
    async with database.sessions() as session:
        found = (
            await session.execute(text("SELECT record_offset, header_names, header_values FROM dead_letters"))
        ).all()
    assert [each[0] for each in found] == [0, 1, 2, 3, 4]
    assert all((each[1], each[2]) == (texts, contents) for each in found)


async def test_no_rows_are_no_statement(async_db):
    assert await inbox.ROWS.insert(async_db, []) == 0
    assert await forms.TASKS.rows.update(async_db, []) == 0
    assert not async_db.in_transaction()


async def test_rows_may_have_more_values_than_a_statement_may_have_parameters(database):
    """32,767; a batch of two thousand commands has some forty thousand values for the outbox alone."""
    base = dict.fromkeys(dead_letters.ROWS.columns) | {"topic": "t", "partition": 0, "timestamp": NOON, "reason": "r"}
    base |= {"detail": "d", "header_names": [], "header_values": []}
    rows = [
        tuple((base | {"id": f"00000000-0000-0000-0000-{number:012}", "record_offset": number}).values())
        for number in range(32_768 // len(base) + 1)
    ]
    async with database.transaction() as session:
        assert await dead_letters.ROWS.insert(session, rows) == len(rows)
