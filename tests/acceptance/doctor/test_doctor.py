"""`squad doctor` on real servers: all is well, then each thing that can be wrong is made wrong."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

import stack as stacks
from app import broker, topic_logs
from app.doctor.examine import examine
from app.doctor.finding import Finding, Verdict
from app.settings import Settings, variable
from consumers import checkpoints
from consumers.records import Partition
from db.database import Database
from db.processes import ProcessRow
from migrations import run as migrations
from outbox.days import first_position, partition_name
from stack.ports import find_free_port
from tests.acceptance.conftest import eventually, running, send
from tests.inside import process_inside
from tests.making import new_id, register_user

TODAY = datetime.now(UTC).date()


async def findings(settings: Settings, *, timeout_seconds: float = 15) -> dict[str, Finding]:
    """What the doctor finds, by check, without this machine's own stacks."""
    found = await examine(settings, {}, timeout_seconds=timeout_seconds)
    return {each.name: each for each in found}


async def find(settings: Settings, name: str) -> tuple[Verdict, str]:
    found = (await findings(settings))[name]
    assert bool(found.advice) == (found.verdict is not Verdict.OK)
    return found.verdict, found.found


async def begun(settings: Settings) -> bool:
    """Whether a consumer has begun every partition and a relay leads."""
    found = await findings(settings)
    return "checkpoint 0" in found and "partitions-added" not in found and "lease of shard 0" in found


async def execute(database: Database, *statements: str) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement))


def topic_of(settings: Settings, name: str) -> str:
    return f"topic {settings.topic_prefix}{name}"


# All is well


async def test_everything_is_checked_and_a_service_that_runs_is_well(service: Settings, database: Database) -> None:
    await send(service, [register_user(new_id())])
    async with process_inside(service, "all"):
        async with database.transaction() as session:
            await ProcessRow(kind="all").describe(session, {})
        await eventually("all partitions are read", lambda: begun(service))
        found = await findings(service)

    wrong = {name: each.found for name, each in found.items() if each.verdict is not Verdict.OK}
    assert wrong.keys() <= {"kafka"}, "a mock is all that may be said"
    assert found["consumers"].found.endswith(f"pid {os.getpid()}")


def test_the_command_prints_json_and_fails_when_a_check_does(settings: Settings) -> None:
    with running(settings, "doctor", "--json") as doctor:
        code, printed = doctor.finish()

    found = {each["name"]: each for each in map(json.loads, printed.splitlines())}
    assert code == 1
    assert found["postgres-version"]["verdict"] == "ok"
    assert "squad topics create" in found[topic_of(settings, "commands")]["advice"]
    assert found["local-stack"]["verdict"] == "ok"


# What cannot be reached


@pytest.mark.parametrize(
    ("field", "address", "failing", "still_made"),
    [
        ("database_url", "postgresql+asyncpg://squad@127.0.0.1:{port}/squad", "postgres", "kafka"),
        ("kafka_bootstrap_servers", "127.0.0.1:{port}", "kafka", "migrations"),
    ],
)
async def test_who_is_away_fails_and_the_other_is_examined(
    settings: Settings, field: str, address: str, failing: str, still_made: str
) -> None:
    away = settings.model_copy(update={field: address.format(port=find_free_port())})

    found = await findings(away)

    assert found[failing].verdict is Verdict.FAIL
    assert variable(field) in found[failing].advice
    assert still_made in found


async def test_who_says_nothing_is_given_up_in_time(settings: Settings) -> None:
    held = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()
        await writer.wait_closed()

    silent = await asyncio.start_server(hold, "127.0.0.1", 0)
    address = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    update = {"database_url": f"postgresql+asyncpg://squad@{address}/x", "kafka_bootstrap_servers": address}

    async with asyncio.timeout(5):
        found = await findings(settings.model_copy(update=update), timeout_seconds=0.5)

    held.set()
    silent.close()
    await silent.wait_closed()
    await asyncio.sleep(0)
    assert {name: each.found for name, each in found.items() if name != "local-stack"} == {
        "postgres": "no answer within 0.5 s",
        "kafka": "no answer within 0.5 s",
    }


# PostgreSQL


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


# Kafka


@pytest.mark.real_kafka("settings of topics")
@pytest.mark.parametrize(
    ("name", "configs", "verdict", "said"),
    [
        ("commands", {"message.timestamp.type": "CreateTime"}, "fail", "message.timestamp.type is CreateTime"),
        ("commands", {"cleanup.policy": "compact,delete"}, "fail", "cleanup.policy is compact,delete"),
        (
            "commands",
            {"retention.ms": "3600000"},
            "warn",
            "retention.ms is 3600000, but producers may",
        ),
        ("events", {"max.message.bytes": "1000"}, "fail", "max.message.bytes is 1000, less than the relay's 1048576"),
        ("outcomes", {"min.insync.replicas": "2"}, "fail", "min.insync.replicas is 2, which 1 copies in step do not"),
    ],
)
async def test_topics_whose_settings_do_not_fit(
    settings: Settings, name: str, configs: dict[str, str], verdict: str, said: str
) -> None:
    stamped = {"message.timestamp.type": "LogAppendTime"} if name == "commands" else {}
    topic = NewTopic(settings.topic_prefix + name, settings.topic_partitions, 1, topic_configs=stamped | configs)
    async with broker.open_admin(settings) as admin:
        await admin.create_topics([topic])

        found = await find(settings, topic_of(settings, name))

        await admin.delete_topics([topic.name])
    assert found[0] == verdict
    assert said in found[1]


@pytest.mark.real_kafka("topics whose partitions are chosen")
async def test_partitions_that_the_setting_does_not_know_and_those_without_a_checkpoint(
    service: Settings, database: Database
) -> None:
    commands = service.topic("commands")
    async with database.transaction() as session:
        await checkpoints.create(
            session, service.consumer_group, {Partition(commands, 0): 0, Partition(commands, 1): 0}
        )
    other = service.model_copy(update={"topic_partitions": 2})

    found = await findings(other)

    assert found[topic_of(service, "commands")].verdict is Verdict.WARN
    assert "SQUAD_TOPIC_PARTITIONS says 2" in found[topic_of(service, "commands")].found
    assert found["partitions-added"].verdict is Verdict.WARN
    assert "partitions 2 have no checkpoint" in found["partitions-added"].found
    assert "order is not kept" in found["partitions-added"].advice


@pytest.mark.real_kafka("deleting records")
async def test_checkpoints_outside_their_logs_fail(service: Settings, database: Database) -> None:
    await send(service, [register_user(new_id()) for _ in range(20)])
    ends = await topic_logs.end_offsets(service, service.topic("commands"))
    emptied = next(number for number, end in ends.items() if end)
    async with broker.open_admin(service) as admin:
        await admin.delete_records({TopicPartition(service.topic("commands"), emptied): RecordsToDelete(ends[emptied])})
    other = (emptied + 1) % 3
    places = {emptied: 0, other: ends[other] + 7, 9: 4}
    async with database.transaction() as session:
        at = {Partition(service.topic("commands"), number): offset for number, offset in places.items()}
        await checkpoints.create(session, service.consumer_group, at)

    found = await findings(service)

    assert all(found[f"checkpoint {number}"].verdict is Verdict.FAIL for number in places)
    assert f"{ends[emptied]} records are gone unread" in found[f"checkpoint {emptied}"].found
    assert f"but the log ends at {ends[other]}" in found[f"checkpoint {other}"].found
    assert "the topic has 3 partitions" in found["checkpoint 9"].found


@pytest.mark.real_kafka("asking by time")
async def test_a_record_from_the_future_fails(service: Settings) -> None:
    # The test's own stand-in for a broker whose clock is ahead: producers stamp this topic, the doctor thinks it does.
    topic = f"{service.topic_prefix}ahead.commands"
    own = service.model_copy(update={"topic_prefix": f"{service.topic_prefix}ahead.", "accept_producer_time": True})
    await broker.create_topics(own)
    async with broker.open_producer(own) as producer:
        late = datetime.now(UTC) + timedelta(minutes=1)
        await producer.send_and_wait(topic, b"x", timestamp_ms=round(late.timestamp() * 1000))

    verdict, found = await find(own.model_copy(update={"accept_producer_time": False}), "kafka-clock")

    await broker.delete_topics(own)
    assert verdict is Verdict.FAIL
    assert f"{topic} has records from the future" in found
