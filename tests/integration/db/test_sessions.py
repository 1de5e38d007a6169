"""The guide's sessions, on a real database."""

from contextlib import suppress
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import wiring
from db import sessions
from db.models import User
from tests.making import NOON, new_id

INSERT = text(
    "INSERT INTO users (id, email, email_key, name, created_at, version) VALUES (:id, :email, :email, 'Ada', :at, 1)"
)


@pytest.fixture
def bound(database):
    sessions.bind(database)
    yield database
    sessions.unbind()


async def known_users(database) -> int:
    async with database.sessions() as session:
        return await session.scalar(text("SELECT count(*) FROM users"))


def a_user(email: str = "ada@example.org"):
    return {"id": new_id(), "email": email, "at": NOON}


async def test_unbound_sessions_say_what_to_do():
    sessions.unbind()
    with pytest.raises(sessions.NotBoundError, match=r"sessions\.bind"):
        await sessions.get_db_context().__aenter__()
    with pytest.raises(sessions.NotBoundError), sessions.get_sync_db_context():
        pass


async def test_commit_is_the_callers(bound):
    async with sessions.get_db_context() as session:
        await session.execute(INSERT, a_user())
    assert await known_users(bound) == 0, "what nobody committed is gone"

    async with sessions.get_db_context() as session:
        await session.execute(INSERT, a_user())
        await session.commit()
    assert await known_users(bound) == 1


async def test_exception_rolls_back(bound):
    async def fail() -> None:
        async with sessions.get_db_context() as session:
            await session.execute(INSERT, a_user())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await known_users(bound) == 0


async def test_dependency_gives_one_session_and_closes_it(bound):
    dependency = sessions.get_db()
    session = await anext(dependency)
    assert isinstance(session, AsyncSession)
    await session.execute(INSERT, a_user())
    await session.commit()
    with pytest.raises(StopAsyncIteration):
        await anext(dependency)
    assert bound.engine.pool.checkedout() == 0
    assert await known_users(bound) == 1


async def test_synchronous_sessions_follow_the_same_rules(bound):
    with sessions.get_sync_db_context() as session:
        session.execute(INSERT, a_user())
        session.commit()
    with suppress(ZeroDivisionError), sessions.get_sync_db_context() as session:
        session.execute(INSERT, a_user("eve@example.org"))
        raise ZeroDivisionError
    for session in sessions.get_sync_db():
        assert session.scalar(text("SELECT count(*) FROM users")) == 1
    with sessions.SyncSessionLocal() as session:
        assert session.scalar(text("SHOW statement_timeout")) == "30s"


async def test_connections_carry_the_timeouts_that_free_a_stopped_process_locks(async_db):
    wanted = {
        "statement_timeout": "30s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "30s",
        "tcp_user_timeout": "30000",
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "2",
        "client_connection_check_interval": "5s",
        "application_name": "agent-squad",
        "random_page_cost": "1.1",
        "transaction_isolation": "read committed",
    }
    for name, value in wanted.items():
        assert await async_db.scalar(text(f"SHOW {name}")) == value


async def test_objects_can_be_read_after_a_commit(async_db):
    user = User(id=uuid4(), email="a@b", email_key="a@b", name="Ada", created_at=NOON, version=1)
    async_db.add(user)
    await async_db.commit()

    assert user.name == "Ada"


async def test_wiring_binds_and_closes(settings):
    async with wiring.open_sessions(settings) as opened, sessions.get_db_context() as session:
        assert await session.scalar(text("SELECT current_database()")) == opened.url.database
    with pytest.raises(sessions.NotBoundError):
        await sessions.get_db_context().__aenter__()


async def test_wiring_reads_on_the_replica_that_the_settings_name(settings, empty_database_url):
    named = settings.model_copy(update={"database_replica_url": empty_database_url})
    async with wiring.open_sessions(named) as opened:
        async with sessions.get_read_db_context() as session:
            assert await session.scalar(text("SELECT current_database()")) == make_url(empty_database_url).database
        async with sessions.get_db_context() as session:
            assert await session.scalar(text("SELECT current_database()")) == opened.url.database
    assert wiring.build_database(named, direct=True).read_sessions.kw["bind"].url.database == opened.url.database
