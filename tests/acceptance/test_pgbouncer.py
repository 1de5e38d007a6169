"""A consumer behind PgBouncer in transaction mode: one effect each, locks freed; a relay is kept from it."""

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import life, postgres
from app.cli.faults import EXIT_UNREACHABLE, EXIT_USAGE, explain
from app.ending import Ending
from app.settings import Settings, SettingsError
from db.database import Database
from db.errors import Failure, classify, sqlstate
from db.pooling import PoolerError
from outbox.connection import connect_alone
from outbox.wake import CHANNEL
from tests import making
from tests.acceptance.conftest import eventually, send
from tests.acceptance.test_consuming import assert_one_effect_each, decided, rows
from tests.inside import process_inside
from tests.making import new_id
from tests.pgbouncer import WHY_NOT_HERE, pooling

pytestmark = pytest.mark.skipif(bool(WHY_NOT_HERE), reason=WHY_NOT_HERE)

STARTUP_PARAMETERS = ",".join(sorted(Database(url="postgresql://")._server_settings))
"""All that we begin a connection with."""


@pytest.fixture
def pooled_url(database_url):
    with pooling(database_url) as url:
        yield url


def through(settings: Settings, url: str, **changes: object) -> Settings:
    kept = {name: getattr(settings, name) for name in settings.model_fields_set}
    pooler = {"database_url": url, "database_pooler": "pgbouncer-transaction"}
    return Settings(**(kept | pooler | changes))


async def test_consumer_behind_it_applies_each_command_once_though_connections_are_cut(service, database, pooled_url):
    settings = through(service, pooled_url, lanes=3)
    await postgres.check_database(settings, "consumer")
    user_id, project_id, squads = new_id(), new_id(), [new_id() for _ in range(200)]
    work = [making.create_squad(user_id, squad) for squad in squads]
    tasks = [making.create_task(squads[0], project_id) for _ in range(100)]
    heard = asyncio.Event()
    listener = await asyncpg.connect(service.database_url.replace("+asyncpg", ""))
    await listener.add_listener(CHANNEL, lambda *_: heard.set())

    async with process_inside(settings, "consumer"):
        await send(service, [making.register_user(user_id)])
        await eventually("the user is known", lambda: decided(database, 1))
        await asyncio.wait_for(heard.wait(), 10)
        sending = asyncio.create_task(send(service, [*work, making.create_project(squads[0], project_id), *tasks]))
        for count in (50, 150, 250):
            await eventually("it goes on", partial(decided, database, count))
            await rows(
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query NOT LIKE 'LISTEN%'",
            )
        await sending
        again = await send(service, work[:20], ids=[])
        assert len(again) == 20
        await eventually("all are decided", lambda: decided(database, 322))
    await listener.close()

    await assert_one_effect_each(database, 322)
    assert await rows(database, "SELECT count(*) FROM squads") == [(200,)]
    assert await rows(database, "SELECT count(*) FROM tasks") == [(100,)]


@asynccontextmanager
async def opened(url: str, **options: float):
    database = Database(url=url, pooled=True, **options)  # type: ignore[arg-type] # seconds all
    try:
        yield database
    finally:
        await database.close()


async def test_timeouts_hold_in_each_transaction_and_in_no_other_ones(pooled_url, database):
    async with opened(pooled_url, statement_timeout_seconds=0.1) as hasty, opened(pooled_url) as patient:
        for _ in range(3):
            with pytest.raises(DBAPIError) as cancelled:
                async with hasty.transaction() as session:
                    await session.execute(text("SELECT pg_sleep(5)"))
            assert sqlstate(cancelled.value) == "57014"
        async with hasty.transaction() as session, patient.transaction() as other:
            assert await session.scalar(text("SHOW statement_timeout")) == "100ms"
            assert await other.scalar(text("SHOW statement_timeout")) == "30s"
            assert await other.scalar(text("SHOW lock_timeout")) == "5s"


async def test_transaction_whose_process_is_paused_is_ended_and_its_locks_are_free(pooled_url, database):
    take = text("SELECT pg_advisory_xact_lock(4711)")
    async with opened(pooled_url, idle_in_transaction_timeout_seconds=0.2) as paused:
        async with paused.sessions() as session:
            await session.execute(take)
            async with database.transaction() as rival:
                await rival.execute(take)
            with pytest.raises(DBAPIError) as ended:
                await session.execute(text("SELECT 1"))
        assert classify(ended.value) is Failure.TRANSIENT
        async with paused.transaction() as session:
            assert await session.scalar(text("SELECT 1")) == 1


async def test_statements_leave_nothing_on_the_servers_connections(pooled_url, database):
    async with opened(pooled_url) as pooled:
        for number in range(12):
            async with pooled.transaction() as session:
                assert await session.scalar(text("SELECT CAST(:n AS int)"), {"n": number}) == number
                kept = text("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")
                assert await session.scalar(kept) == 0


async def test_autocommit_is_refused_behind_it(pooled_url, database):
    async with opened(pooled_url) as pooled:
        connection = await connect_alone(pooled)
        with pytest.raises(PoolerError, match="autocommit"):
            await connection.execute(text("SELECT 1"))
        await connection.close()


async def test_process_that_was_not_told_of_the_pooler_finds_it_out(settings, database_url, pooled_url):
    """Whether PgBouncer refuses our timeouts, or was told to ignore them and would lose them silently."""
    with pooling(database_url, ignore_startup_parameters=STARTUP_PARAMETERS) as silent_url:
        for url, said in ((pooled_url, "a pooler refuses our timeouts"), (silent_url, "a connection pooler stands")):
            with pytest.raises(postgres.RefusedError, match=said) as refused:
                await life.run(settings.model_copy(update={"database_url": url}), "consumer", Ending())
            message, code = explain(refused.value) or ("", 0)
            assert (code, "SQUAD_DATABASE_POOLER" in message) == (EXIT_UNREACHABLE, True)


async def test_proxy_that_is_trusted_must_keep_the_timeouts(settings, database_url):
    with (
        pooling(database_url, ignore_startup_parameters=STARTUP_PARAMETERS) as forgetful_url,
        pytest.raises(postgres.RefusedError, match="does not keep our timeouts"),
    ):
        await postgres.check_database(proxied(settings, forgetful_url), "consumer")


async def test_trusted_proxy_that_keeps_them_is_not_refused(settings, database_url):
    seconds = {
        "statement_timeout": settings.statement_timeout_seconds,
        "lock_timeout": settings.lock_timeout_seconds,
        "idle_in_transaction_session_timeout": settings.idle_in_transaction_timeout_seconds,
    }
    kept = " ".join(f"SET {name} = {each * 1000:.0f};" for name, each in seconds.items())
    options = {"pool_mode": "session", "server_reset_query": "", "ignore_startup_parameters": STARTUP_PARAMETERS}
    with pooling(database_url, connect_query=kept, **options) as honest_url:
        with pytest.raises(postgres.RefusedError, match="a connection pooler stands"):
            await postgres.check_database(settings.model_copy(update={"database_url": honest_url}), "relay")

        await postgres.check_database(proxied(settings, honest_url), "relay")


def proxied(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"database_url": url, "database_proxy": "trusted"})


async def test_relay_behind_it_is_refused_and_told_what_to_set(settings, database_url, pooled_url):
    with pytest.raises(SettingsError, match="SQUAD_DATABASE_DIRECT_URL: is needed by relay") as refused:
        await life.run(through(settings, pooled_url), "all", Ending())
    assert (explain(refused.value) or ("", 0))[1] == EXIT_USAGE

    with (
        pooling(database_url, ignore_startup_parameters=STARTUP_PARAMETERS) as silent_url,
        pytest.raises(postgres.RefusedError, match="SQUAD_DATABASE_DIRECT_URL"),
    ):
        await life.run(through(settings, pooled_url, database_direct_url=silent_url), "relay", Ending())

    await postgres.check_database(through(settings, pooled_url, database_direct_url=database_url), "all")
