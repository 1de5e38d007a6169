"""The fixtures. What they need is imported when a test first asks for them: every start of pytest reads this module."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from agent_squad_testing.databases import Databases
    from app.settings import Settings
    from db.database import Database


@pytest.fixture(scope="session")
def squad_databases() -> "Iterator[Databases]":
    """What makes the databases of this run; `lend()` gives more than the one that each test has."""
    from agent_squad_testing.databases import Databases
    from agent_squad_testing.errors import NoPostgresError
    from agent_squad_testing.server import open_server

    with ExitStack() as resources:
        try:
            settings = resources.enter_context(open_server())
            databases = resources.enter_context(Databases(settings=settings))
        except NoPostgresError as error:
            pytest.fail(str(error), pytrace=False)
        yield databases


@pytest.fixture
def squad_settings(squad_databases: "Databases") -> "Iterator[Settings]":
    """The service's settings, as the environment has them, with the address of this test's own database."""
    with squad_databases.lend() as settings:
        yield settings


@pytest.fixture
def squad_database_url(squad_settings: "Settings") -> str:
    """The address of this test's own database, `postgresql+asyncpg://…`."""
    return squad_settings.database_url


@pytest_asyncio.fixture
async def squad_database(squad_settings: "Settings") -> "AsyncIterator[Database]":
    """This test's own database; what `db.sessions` gives is of it too."""
    from app import wiring

    async with wiring.open_sessions(squad_settings) as database:
        yield database


@pytest_asyncio.fixture
async def async_db(squad_database: "Database") -> "AsyncIterator[AsyncSession]":
    """A session on this test's own database. The test commits; what it does not is rolled back."""
    async with squad_database.sessions() as session:
        yield session
