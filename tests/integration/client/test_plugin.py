"""The pytest plugin as its users have it: projects of their own, whose tests run in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from psycopg import OperationalError, connect
from sqlalchemy import make_url

from agent_squad_testing.databases import Databases
from agent_squad_testing.errors import NoPostgresError
from app.settings import Settings

TESTS = """
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, make_url, select, text

from db.models import User
from db.sessions import get_db_context

COUNT = select(func.count()).select_from(User)


def told(url):
    with Path("databases.txt").open("a") as names:
        names.write(f"{make_url(url).render_as_string(hide_password=False)}\\n")


@pytest.mark.asyncio
@pytest.mark.parametrize("time", [1, 2])
async def test_user_is_added_to_an_empty_table(async_db, squad_database, squad_database_url, time):
    told(squad_database_url)
    assert await async_db.scalar(COUNT) == 0
    async_db.add(User(id=uuid4(), email="a@b.c", email_key="a@b.c", name="A", created_at=datetime.now(UTC), version=1))
    await async_db.commit()
    async with get_db_context() as session, squad_database.sessions() as another:
        assert await session.scalar(COUNT) == await another.scalar(COUNT) == 1
    assert await async_db.scalar(text("SELECT current_database()")) == make_url(squad_database_url).database


def test_ordinary_function_has_the_schema(squad_settings, squad_databases):
    told(squad_settings.database_url)
    with squad_databases.lend() as other:
        told(other.database_url)
        assert other.database_url != squad_settings.database_url
"""
KILLED = """
import os, signal
from pathlib import Path


def test_is_killed(squad_database_url):
    Path("databases.txt").write_text(f"{squad_database_url}\\n")
    os.kill(os.getpid(), signal.SIGKILL)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path):
    """Starts pytest in a new project that has these tests, in an environment without what names servers."""

    def run(tests: str, name: str = "project", **environment: str) -> subprocess.Popen[str]:
        directory = tmp_path / name
        directory.mkdir()
        (directory / "pytest.ini").write_text(
            "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
        )
        (directory / "test_users.py").write_text(tests)
        kept = {each: value for each, value in os.environ.items() if not each.startswith(("SQUAD_", "PYTEST_"))}
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
            cwd=directory,
            env=kept | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def said_by(process: subprocess.Popen[str], *, code: int) -> str:
    said, _ = process.communicate(timeout=100)
    assert process.returncode == code, said
    return said


def databases_told_in(directory: Path) -> list[str]:
    return (directory / "databases.txt").read_text().split()


def name_of(url: str) -> str:
    return str(make_url(url).database)


def names_on(url: str, prefix: str) -> set[str]:
    """The databases on a server whose names begin so."""
    with closing(connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))) as server:
        found = server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix]).fetchall()
    return {name for (name,) in found}


def run_of(url: str) -> str:
    """What the names of all databases of a run begin with."""
    return name_of(url).rpartition("_")[0]


def test_every_test_of_two_runs_at_once_has_a_fresh_database_and_nothing_is_left(stack, start, tmp_path):
    runs = [start(TESTS, name, SQUAD_DATABASE_URL=stack.database_url) for name in ("one", "two")]

    assert all("3 passed" in said_by(run, code=0) for run in runs)
    told = [databases_told_in(tmp_path / name) for name in ("one", "two")]
    assert len({*told[0], *told[1]}) == 8
    for [first, *_] in told:
        assert names_on(stack.database_url, run_of(first)) == set()


def test_where_no_server_is_named_one_is_started_and_ended(start, tmp_path):
    assert "3 passed" in said_by(start(TESTS), code=0)

    address = make_url(databases_told_in(tmp_path / "project")[0]).set(drivername="postgresql", database="squad")
    with pytest.raises(OperationalError, match="refused"):
        connect(address.render_as_string(hide_password=False))


def test_what_a_killed_run_left_is_dropped_by_the_next_but_not_what_a_living_one_has(stack, start, tmp_path):
    settings = Settings(database_url=stack.database_url)
    with Databases(settings=settings) as living, living.lend() as lent:
        said_by(start(KILLED, SQUAD_DATABASE_URL=stack.database_url), code=-signal.SIGKILL)
        [left] = databases_told_in(tmp_path / "project")
        assert names_on(stack.database_url, run_of(left)) == {run_of(left), name_of(left)}

        with Databases(settings=settings):
            kept = run_of(lent.database_url)
            assert names_on(stack.database_url, run_of(left)) == set()
            assert names_on(stack.database_url, kept) == {kept, name_of(lent.database_url)}


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SQUAD_STACK": "external"}, "No PostgreSQL for the tests. Set SQUAD_DATABASE_URL to one whose user may"),
        (
            {"SQUAD_DATABASE_URL": "postgresql+asyncpg://squad:hush@127.0.0.1:1/squad"},
            "PostgreSQL at postgresql+asyncpg://squad:***@127.0.0.1:1/squad cannot be reached for the tests:",
        ),
        ({"SQUAD_DATABASE_URL": "no url"}, "A setting is wrong: SQUAD_DATABASE_URL: is not a database URL"),
    ],
    ids=["none", "unreachable", "malformed"],
)
def test_without_a_postgresql_the_tests_say_why_and_what_to_do(start, environment, said):
    found = said_by(start(TESTS, **environment), code=1)

    assert said in found
    assert "hush" not in found
    assert "Traceback" not in found


def test_user_who_may_not_make_databases_is_told_so(stack):
    role = f"squad_test_{os.getpid()}"
    url = make_url(stack.database_url)
    admin = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(connect(admin, autocommit=True)) as server:
        server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        try:
            settings = Settings(
                database_url=url.set(username=role, password="secret").render_as_string(hide_password=False)
            )
            with pytest.raises(NoPostgresError, match=r"CREATEDB.*permission denied to create database"):
                Databases(settings=settings).__enter__()
        finally:
            server.execute(f"DROP ROLE {role}")
