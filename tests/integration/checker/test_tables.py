"""What the checker reads of the tables, on real PostgreSQL."""

import pytest

from checker.evidence import Identity, Place
from checker.tables import STATE_COLUMNS, read_tables
from db.database import Database
from db.models import Base
from tests import making
from tests.applying import GROUP, TOPICS, Bench
from tests.making import NOON, SOURCE, TOPIC


async def test_tables_are_read_as_the_wire_has_them(database: Database) -> None:
    bench = Bench(database)
    register = making.register_user()
    create = making.create_squad(register.user_id, roles=("tester",))
    await bench.apply(making.record(register, command_id="first"), making.record(create, command_id="second"))
    await bench.apply(making.FakeRecord(key=b"k", value=b"\xff"))

    tables = await read_tables(database.engine, group=GROUP, commands_topic=TOPIC)

    assert [(row.identity, row.outcome, row.place, row.code) for row in tables.inbox] == [
        (Identity(SOURCE, "first"), "applied", Place(0, 0), None),
        (Identity(SOURCE, "second"), "applied", Place(0, 1), None),
    ]
    assert [row.event_ids[0] for row in tables.inbox] == [
        row.event_id for row in tables.outbox if row.topic == TOPICS.events
    ]
    assert [(row.place, row.value, row.source, row.reason) for row in tables.letters] == [
        (Place(0, 2), b"\xff", None, "unreadable")
    ]
    assert [row.position for row in tables.outbox] == sorted(row.position for row in tables.outbox)
    assert tables.checkpoints == {0: 3}
    assert tables.versions == {register.user_id: 1, create.squad_id: 1}
    assert tables.state.users == {
        register.user_id: {
            "is_active": True,
            "email_verified": False,
            "plan_tier": "free",
            "created_at": NOON,
            "deleted_at": None,
            "erased_at": None,
        }
    }
    assert tables.state.squads[create.squad_id]["user_id"] == register.user_id
    assert [row["role"] for row in tables.state.members.values()] == ["tester"]


async def test_other_groups_checkpoints_are_left_out(database: Database) -> None:
    await Bench(database).apply(making.record(making.register_user()))

    tables = await read_tables(database.engine, group="another", commands_topic=TOPIC)

    assert tables.checkpoints == {}


UNTOLD = {
    "users": {"version", "email", "email_key", "name", "password_hash"},
    "squads": {"version"},
    "squad_members": {"name"},
    "projects": set[str](),
    "tasks": set[str](),
    "feedback": {"comment"},
    "usage_metrics": {"metric", "period"},
}
"""What events do not tell: what is personal; versions, which are compared with the numbers of events; and what rows of
usage go by instead of an id."""


@pytest.mark.parametrize("table", STATE_COLUMNS)
def test_all_columns_are_compared_but_ids_versions_and_personal_ones(table: str) -> None:
    assert {*STATE_COLUMNS[table]} | UNTOLD[table] | {"id"} == set(Base.metadata.tables[table].columns.keys())
    assert not UNTOLD[table] & {*STATE_COLUMNS[table]}
