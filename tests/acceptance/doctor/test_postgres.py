"""`squad doctor`: each thing that can be wrong with PostgreSQL, and with what it says of processes, is made wrong."""

import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

import stack as stacks
from app.doctor.finding import Verdict
from app.settings import Settings
from db.database import Database
from db.processes import ProcessRow
from migrations import run as migrations
from outbox.days import first_position, partition_name
from tests.acceptance.doctor.finding import execute, find, findings
from tests.making import new_id

TODAY = datetime.now(UTC).date()


async def test_a_server_that_forgets_or_takes_nothing_fails(settings: Settings) -> None:
    careless = {
        "fsync": "off",
        "synchronous_commit": "off",
        "max_connections": "12",
        "superuser_reserved_connections": "3",
        "max_wal_senders": "2",
    }
    with stacks.start(
        name=f"doctor-{os.getpid()}",
        environment={**os.environ, "SQUAD_STACK": "embedded"},
        postgres_settings=careless,
    ) as own:
        database = Database(url=own.database_url)
        await execute(database, "ALTER ROLE squad SET default_transaction_read_only = on")
        await database.close()
        found = await findings(settings.model_copy(update={"database_url": own.database_url}))

    wrong = {name for name, each in found.items() if each.verdict is Verdict.FAIL}
    assert wrong >= {"durability", "postgres-primary", "connections", "migrations"}
    assert found["durability"].found == "off: fsync, synchronous_commit"
    assert found["connections"].found.startswith("at most 9 connections")
    assert found["migrations"].found == "there is no schema"


async def test_a_database_of_another_encoding_fails(stack: stacks.Stack, settings: Settings) -> None:
    name = f"ascii_{new_id().replace('-', '')}"
    engine = create_async_engine(stack.database_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(
            text(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER 'libc' TEMPLATE template0")
        )
        url = make_url(stack.database_url).set(database=name).render_as_string(hide_password=False)

        assert await find(settings.model_copy(update={"database_url": url}), "encoding") == ("fail", "SQL_ASCII")

        await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await engine.dispose()


async def test_timeouts_that_the_server_does_not_have_are_warned_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a pooler does that ignores what a client sets at its start.
    monkeypatch.setattr(Database, "_server_settings", property(lambda _: {}, lambda *_: None), raising=False)

    verdict, found = await find(settings, "timeouts")

    assert verdict is Verdict.WARN
    assert "statement_timeout is 0 s, 10 s were asked for" in found


async def test_a_schema_of_an_earlier_or_a_later_release(settings: Settings, database: Database) -> None:
    head = migrations.head()

    await execute(database, "UPDATE alembic_version SET version_num = '0001'")
    earlier = await find(settings, "migrations")
    await execute(database, "UPDATE alembic_version SET version_num = '9999'")
    later = await find(settings, "migrations")

    assert earlier == ("fail", f"at 0001, this release's head is {head}")
    assert later == ("warn", f"at 9999, this release's head is {head}")


@pytest_asyncio.fixture
async def guest(database: Database, settings: Settings) -> AsyncIterator[Settings]:
    """Settings with a role that owns nothing and may do nothing."""
    role = f"guest_{new_id().replace('-', '')}"
    await execute(database, f"CREATE ROLE {role} LOGIN PASSWORD 'guest'")
    url = make_url(settings.database_url).set(username=role, password="guest")
    yield settings.model_copy(update={"database_url": url.render_as_string(hide_password=False)})
    await execute(database, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_a_role_without_rights_fails_and_one_that_owns_nothing_is_warned(
    guest: Settings, database: Database
) -> None:
    role = make_url(guest.database_url).username
    readable = "alembic_version, leases, held, relay_cursors, processes, outbox_position"
    await execute(database, f"GRANT SELECT ON {readable} TO {role}")

    verdict, found = await find(guest, "rights")
    assert verdict is Verdict.FAIL
    assert "SELECT, INSERT, UPDATE on " in found
    assert (await find(guest, "owner"))[0] is Verdict.WARN

    await execute(
        database,
        f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT DELETE ON processes TO {role}",
        f"GRANT USAGE ON SEQUENCE outbox_position TO {role}",
        "REVOKE USAGE ON TYPE users_row_1 FROM PUBLIC",
    )
    assert await find(guest, "rights") == ("fail", "lacks DELETE on inbox; USAGE on type users_row_1")

    await execute(database, f"GRANT DELETE ON inbox TO {role}", f"GRANT USAGE ON TYPE users_row_1 TO {role}")
    assert (await find(guest, "rights"))[0] is Verdict.OK


async def test_partitions_that_are_missing(settings: Settings, database: Database) -> None:
    tomorrow = partition_name(TODAY + timedelta(days=1))
    await execute(database, f"DROP TABLE {tomorrow}")
    assert await find(settings, "outbox-partitions") == ("warn", f"missing: {tomorrow}")

    await execute(database, f"DROP TABLE {partition_name(TODAY)}")

    assert (await find(settings, "outbox-partitions"))[0] is Verdict.FAIL
    assert (await find(settings, "outbox-sequence"))[0] is Verdict.FAIL


@pytest.mark.parametrize(("days", "verdict"), [(1, "warn"), (-30, "fail"), (0, "ok")])
async def test_a_sequence_that_is_not_in_todays_range(
    settings: Settings, database: Database, days: int, verdict: str
) -> None:
    day = TODAY + timedelta(days=days)
    await execute(database, f"SELECT setval('outbox_position', {first_position(day) + 5})")

    found = await find(settings, "outbox-sequence")

    assert found[0] == verdict
    assert f"in the range of {day}" in found[1]


async def test_processes_and_leases_that_fell_silent(settings: Settings, database: Database) -> None:
    assert await find(settings, "consumers") == ("warn", "none runs")
    dead, sick = ProcessRow(kind="consumer"), ProcessRow(kind="relay")
    async with database.transaction() as session:
        await dead.describe(session, {})
        await sick.describe(session, {"stopped": {"squad.commands[3]": "cannot be applied"}})
    await execute(
        database,
        "UPDATE processes SET heartbeat_at = now() - interval '1 minute' WHERE kind = 'consumer'",
        "INSERT INTO leases VALUES ('relay-0', 'somebody', 1, now() - interval '1 minute')",
    )

    found = await findings(settings)

    assert found["consumers"].verdict is Verdict.WARN
    silent = re.search(rf"pid {os.getpid()}, (\d+) s", found["consumers"].found)
    assert silent is not None
    assert int(silent[1]) >= 60
    assert found["stopped-partitions"].verdict is Verdict.FAIL
    assert found["stopped-partitions"].found == "squad.commands[3]: cannot be applied"
    assert found["lease of shard 0"].verdict is Verdict.WARN
    assert found["lease of shard 0"].found.endswith("last somebody")
    assert found["holds"].verdict is Verdict.OK

    await execute(
        database, "INSERT INTO held (topic, key, position, slot, reason) VALUES ('t', 'k', 1, 0, 'too large')"
    )
    assert (await find(settings, "holds"))[0] is Verdict.WARN
