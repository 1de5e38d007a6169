"""What becomes of a session's transaction and connection, however its block is left."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import ProgrammingError as MissingError
from sqlalchemy.pool import Pool, QueuePool

from db import sessions
from db.database import Database
from db.one_task import SharedSessionError
from tests.making import NOON, new_id

INSERT = text(
    "INSERT INTO users (id, email, email_key, name, created_at, version) VALUES (:id, :email, :email, 'Ada', :at, 1)"
)
COUNT = text("SELECT count(*) FROM users")
IN_TRANSACTION = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
)


def a_user(email: str = "ada@example.org"):
    return {"id": new_id(), "email": email, "at": NOON}


@pytest.fixture
def bound(database):
    sessions.bind(database)
    yield database
    sessions.unbind()


def lent(pool: Pool) -> int:
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


async def assert_left_nothing(database: Database, users: int = 0) -> None:
    """No connection is lent, none is in a transaction, and so many users are stored."""
    assert lent(database.engine.pool) == 0
    async with database.sessions() as session:
        assert await session.scalar(COUNT) == users
        assert await session.scalar(IN_TRANSACTION) == 0


async def test_cancellation_rolls_back_and_closes_whether_between_statements_or_in_one(bound):
    for statement in ("SELECT 1", "SELECT pg_sleep(60)"):
        began = asyncio.Event()

        async def work(statement: str = statement, began: asyncio.Event = began) -> None:
            async with sessions.get_db_context() as session:
                await session.execute(INSERT, a_user())
                began.set()
                await session.execute(text(statement))
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await began.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await assert_left_nothing(bound)


async def test_commit_that_is_cancelled_is_whole_or_not_at_all_and_leaves_nothing_open(bound):
    async def work() -> None:
        async with sessions.get_db_context() as session:
            await session.execute(INSERT, a_user())
            await session.execute(INSERT, a_user("eve@example.org"))
            task.cancel()
            await session.commit()

    task = asyncio.create_task(work())
    with pytest.raises(asyncio.CancelledError):
        await task
    async with bound.sessions() as session:
        stored = await session.scalar(COUNT)
    assert stored in {0, 2}
    await assert_left_nothing(bound, users=stored)


async def test_request_whose_client_is_gone_rolls_back_and_closes(bound):
    dependency = sessions.get_db()
    session = await anext(dependency)
    await session.execute(INSERT, a_user())

    await dependency.aclose()

    await assert_left_nothing(bound)


async def test_failed_statement_leaves_a_session_that_can_go_on_after_a_rollback(bound):
    async with sessions.get_db_context() as session:
        await session.execute(INSERT, a_user())
        with pytest.raises(IntegrityError):
            await session.execute(INSERT, a_user())
        with pytest.raises(DBAPIError, match="current transaction is aborted"):
            await session.execute(COUNT)
        await session.rollback()
        await session.execute(INSERT, a_user())
        await session.commit()
    await assert_left_nothing(bound, users=1)


async def test_lost_connection_is_told_as_it_is_and_not_lent_again(bound):
    async def lose() -> None:
        async with sessions.get_db_context() as session:
            await session.execute(INSERT, a_user())
            own = await session.scalar(text("SELECT pg_backend_pid()"))
            async with bound.sessions() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
            await session.execute(COUNT)

    with pytest.raises(DBAPIError) as lost:
        await lose()
    assert lost.value.connection_invalidated
    await assert_left_nothing(bound)


async def test_savepoint_undoes_its_part_and_nothing_else(bound):
    async with sessions.get_db_context() as session:
        await session.execute(INSERT, a_user())
        with suppress(IntegrityError):
            async with session.begin_nested():
                await session.execute(INSERT, a_user("eve@example.org"))
                await session.execute(INSERT, a_user())
        assert await session.scalar(COUNT) == 1
        async with session.begin_nested():
            await session.execute(INSERT, a_user("eve@example.org"))
        await session.commit()
    await assert_left_nothing(bound, users=2)


async def test_cancellation_in_a_savepoint_undoes_all(bound):
    async def work() -> None:
        async with sessions.get_db_context() as session:
            await session.execute(INSERT, a_user())
            async with session.begin_nested():
                await session.execute(INSERT, a_user("eve@example.org"))
                task.cancel()
                await session.execute(COUNT)

    task = asyncio.create_task(work())
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_left_nothing(bound)


async def test_second_task_on_a_session_is_refused_and_the_first_goes_on(bound):
    async with sessions.get_db_context() as session:
        await session.execute(INSERT, a_user())
        slow = asyncio.create_task(session.scalar(text("SELECT 7 FROM pg_sleep(0.2)")), name="first")
        await asyncio.sleep(0.02)
        refused = "on this session while task 'first' is in the middle of something on it: give each task a session"

        for does, arguments in (
            ("execute", (COUNT,)),
            ("scalar", (COUNT,)),
            ("commit", ()),
            ("rollback", ()),
            ("begin_nested", ()),
            ("flush", ()),
        ):
            with pytest.raises(SharedSessionError, match=f"may not {does} {refused}"):
                await getattr(session, does)(*arguments)

        assert await slow == 7
        await session.commit()
    await assert_left_nothing(bound, users=1)


async def test_leaving_a_transaction_while_another_task_uses_it_commits_nothing(bound):
    started = []

    async def leave() -> None:
        async with bound.sessions() as session, session.begin():
            await session.execute(INSERT, a_user())
            started.append(asyncio.create_task(session.scalar(text("SELECT 7 FROM pg_sleep(60)"))))
            await asyncio.sleep(0.02)

    with pytest.raises((SharedSessionError, DBAPIError)) as refused:
        await leave()
    # Rolling back, after the refusal to commit, is refused by the driver.
    causes: list[BaseException] = [refused.value]
    while causes[-1].__context__ is not None:
        causes.append(causes[-1].__context__)
    assert any("may not commit" in str(each) for each in causes if isinstance(each, SharedSessionError))
    await asyncio.gather(*started, return_exceptions=True)

    await assert_left_nothing(bound)


async def test_closing_gives_up_the_connection_that_another_task_still_uses(bound):
    async with sessions.get_db_context() as session:
        await session.execute(INSERT, a_user())
        slow = asyncio.create_task(session.scalar(text("SELECT 7 FROM pg_sleep(60)")))
        await asyncio.sleep(0.02)

    with pytest.raises(DBAPIError):
        await slow
    await assert_left_nothing(bound)


async def test_one_task_after_another_may_use_a_session(bound):
    async with sessions.get_db_context() as session:
        await asyncio.create_task(session.execute(INSERT, a_user()))
        assert await asyncio.create_task(session.scalar(COUNT)) == 1


async def test_connection_that_comes_back_in_a_transaction_is_not_lent_again(bound):
    async with bound.engine.connect() as connection:
        # As SQLAlchemy leaves it when the driver refused to commit.
        driver = (await connection.get_raw_connection()).driver_connection
        await driver.execute("BEGIN")

    await assert_left_nothing(bound)


async def test_reading_session_can_change_nothing_in_any_of_its_transactions(bound):
    for context in (sessions.get_read_db_context, bound.read_sessions):
        async with context() as session:
            for _ in range(2):
                assert await session.scalar(COUNT) == 0
                with pytest.raises(DBAPIError, match="cannot execute INSERT in a read-only transaction"):
                    await session.execute(INSERT, a_user())
                await session.rollback()
    # Of the same pool, and not spoilt by it.
    async with sessions.get_db_context() as session:
        await session.execute(INSERT, a_user())
        await session.commit()
    dependency = sessions.get_read_db()
    assert await (await anext(dependency)).scalar(COUNT) == 1
    await dependency.aclose()
    await assert_left_nothing(bound, users=1)


async def test_reading_sessions_read_on_the_replica_and_all_else_is_written_here(database_url, empty_database_url):
    replica = Database(url=empty_database_url)
    database = Database(url=database_url, replica=replica)
    async with database.sessions() as session:
        assert await session.scalar(COUNT) == 0
    async with database.read_sessions() as session:
        with pytest.raises(MissingError, match='relation "users" does not exist'):
            await session.scalar(COUNT)
    assert "engine" in replica.__dict__
    await database.close()
    assert lent(replica.engine.pool) == 0


def test_synchronous_session_rolls_back_and_closes_however_it_is_left(bound):
    def fail(error: BaseException) -> None:
        with sessions.get_sync_db_context() as session:
            session.execute(INSERT, a_user())
            raise error

    for error in (ZeroDivisionError(), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            fail(error)
    dependency = sessions.get_sync_db()
    next(dependency).execute(INSERT, a_user())
    dependency.close()
    with sessions.get_sync_db_context() as session:
        session.execute(INSERT, a_user())
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(INSERT, a_user())
        session.commit()
    with sessions.SyncSessionLocal() as session:
        assert session.scalar(COUNT) == 1
        assert session.scalar(IN_TRANSACTION) == 0
    assert lent(bound.sync_engine.pool) == 0
