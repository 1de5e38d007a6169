"""The guide's sessions and its simplest reads, on a real database."""

from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db import sessions
from db.queries.squads import get_squad_with_members
from db.queries.users import get_user, get_user_by_email, get_users_paginated
from tests import making
from tests.applying import Bench, StatementCounter
from tests.making import NOON, new_id, record

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
        "client_connection_check_interval": "5s",
        "application_name": "agent-squad",
        "transaction_isolation": "read committed",
    }
    for name, value in wanted.items():
        assert await async_db.scalar(text(f"SHOW {name}")) == value


async def test_users_are_found_by_id_and_by_email_in_any_case(database, async_db):
    bench, user_id = Bench(database), new_id()
    await bench.apply(record(making.register_user(user_id, "Ada@Example.org")))

    by_id = await get_user(async_db, UUID(user_id))
    assert by_id is not None
    assert by_id.email == "Ada@Example.org"
    assert await get_user_by_email(async_db, "aDA@EXAMPLE.org") is by_id
    assert await get_user(async_db, UUID(new_id())) is None
    assert await get_user_by_email(async_db, "eve@example.org") is None


async def test_pages_are_newest_first_and_cover_everything_once(database, async_db):
    bench = Bench(database)
    await bench.apply(*(record(making.register_user()) for _ in range(45)))

    pages = [await get_users_paginated(async_db, page=number) for number in (1, 2, 3, 4)]

    assert [len(page.items) for page in pages] == [20, 20, 5, 0]
    assert {(page.total, page.per_page, page.pages) for page in pages} == {(45, 20, 3)}
    seen = [(user.created_at, user.id) for page in pages for user in page.items]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 45


@pytest.mark.parametrize(("page", "per_page"), [(0, 20), (-1, 20), (1, 0), (1, 1001)])
async def test_pages_that_cannot_be_are_refused(async_db, page, per_page):
    with pytest.raises(ValueError, match=r"must be at least 1|from 1 to"):
        await get_users_paginated(async_db, page=page, per_page=per_page)


async def test_squad_with_members_takes_two_statements_however_many(database, async_db):
    bench, user_id, squad_id = Bench(database), new_id(), new_id()
    roles = tuple(f"role-{number}" for number in range(50))
    await bench.apply(
        record(making.register_user(user_id)), record(making.create_squad(user_id, squad_id, roles=roles))
    )

    with StatementCounter(database) as counter:
        squad = await get_squad_with_members(async_db, UUID(squad_id))
        assert squad is not None
        assert len(squad.members) == 50

    assert len(counter.statements) == 2
    assert await get_squad_with_members(async_db, UUID(new_id())) is None
