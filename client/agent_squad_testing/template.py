"""A migrated database that each test's own is copied from; what killed runs left of such is dropped first.

Names say whose a database is: `squad_test_<place>_<run>_<number>`. As long as it lives, a run holds the advisory lock
of its number; who gets the lock of another run knows that it is dead. Such locks are each database's own: `place` is
the one that the run is connected to, and only runs of the same place look after each other.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Final

from sqlalchemy import URL, BigInteger, bindparam, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from agent_squad_testing.errors import NoPostgresError
from app import wiring
from app.settings import Settings
from db.database import Database

_RUN_BITS: Final = 60
"""So long is a run's number: fifteen hexadecimal digits, and a positive bigint."""

_NUMBER: Final = bindparam("run", type_=BigInteger)
_PLACE: Final = text("SELECT CAST(oid AS bigint) FROM pg_database WHERE datname = current_database()")
_LOCK: Final = text("SELECT pg_advisory_lock(:run)").bindparams(_NUMBER)
_TRY_LOCK: Final = text("SELECT pg_try_advisory_lock(:run)").bindparams(_NUMBER)
_UNLOCK: Final = text("SELECT pg_advisory_unlock(:run)").bindparams(_NUMBER)
# Only those of our own user: nobody else's can be dropped.
_NAMES: Final = text(
    "SELECT datname FROM pg_database"
    " WHERE starts_with(CAST(datname AS text), :prefix) AND pg_get_userbyid(datdba) = current_user"
)


class Template:
    """Makes copies of a migrated database.

    Args:
        connection: to its server, in autocommit; used by one task at a time.
        settings: of the template.
    """

    def __init__(self, *, connection: AsyncConnection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._address = make_url(settings.database_url)
        self._numbers = count(1)

    async def copy(self) -> Settings:
        """Make a database with the template's schema, and give its settings."""
        copied = self._address.set(database=f"{self._address.database}_{next(self._numbers)}")
        await _run(self._connection, f"CREATE DATABASE {copied.database} TEMPLATE {self._address.database}")
        return _settings_of(self._settings, copied)

    async def drop(self, settings: Settings) -> None:
        """Drop a copy, whoever is still connected to it."""
        await _drop(self._connection, str(make_url(settings.database_url).database))


@asynccontextmanager
async def open_template(settings: Settings) -> AsyncIterator[Template]:
    """Give a migrated template, dropped at the end with all its copies.

    Args:
        settings: their address is a database of the server on which it is made.

    Raises:
        NoPostgresError: the server cannot be reached, or lets us make no database.
    """
    async with wiring.open_database(settings, pool_size=1, direct=True) as server, _connect(server) as connection:
        run = secrets.randbits(_RUN_BITS)
        place = await connection.scalar(_PLACE)
        await connection.execute(_LOCK, {"run": run})
        await _sweep(connection, f"squad_test_{place}_")
        name = f"squad_test_{place}_{run:015x}"
        try:
            yield await _make(connection, _settings_of(settings, server.url.set(database=name)), name)
        finally:
            await _drop_all(connection, name)


async def _make(connection: AsyncConnection, settings: Settings, name: str) -> Template:
    try:
        await _run(connection, f"CREATE DATABASE {name}")
    except DBAPIError as error:
        raise NoPostgresError(
            f"PostgreSQL does not let its user make databases for the tests (ALTER ROLE … CREATEDB): {error.orig}"
        ) from error
    await asyncio.to_thread(wiring.migrate, settings)
    await wiring.make_partitions(settings)
    # A copy is refused while anybody is connected to what is copied.
    await _run(connection, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    return Template(connection=connection, settings=settings)


@asynccontextmanager
async def _connect(server: Database) -> AsyncIterator[AsyncConnection]:
    engine = server.engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        connection = await engine.connect()
    except Exception as error:
        address = server.url.render_as_string(hide_password=True)
        raise NoPostgresError(f"PostgreSQL at {address} cannot be reached for the tests: {error}") from error
    try:
        yield connection
    finally:
        await connection.close()


async def _sweep(connection: AsyncConnection, prefix: str) -> None:
    """Drop the databases of runs that are dead."""
    found = await _names(connection, prefix)
    runs = {match[1] for name in found if (match := re.fullmatch(rf"{prefix}([0-9a-f]{{15}})(?:_\d+)?", name))}
    for run in runs:
        if await connection.scalar(_TRY_LOCK, {"run": int(run, 16)}):
            await _drop_all(connection, f"{prefix}{run}")
            await connection.execute(_UNLOCK, {"run": int(run, 16)})


async def _drop_all(connection: AsyncConnection, prefix: str) -> None:
    for name in await _names(connection, prefix):
        await _drop(connection, name)


async def _names(connection: AsyncConnection, prefix: str) -> list[str]:
    return list(await connection.scalars(_NAMES, {"prefix": prefix}))


async def _drop(connection: AsyncConnection, name: str) -> None:
    await _run(connection, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _run(connection: AsyncConnection, statement: str) -> None:
    await connection.execute(text(statement))


def _settings_of(settings: Settings, address: URL) -> Settings:
    """Give the settings of a database on the same server, spoken to in the same way, with nothing between."""
    return settings.model_copy(
        update={
            "database_url": address.render_as_string(hide_password=False),
            "database_password_file": None,
            "database_pooler": "none",
            "database_direct_url": None,
            "database_replica_url": None,
        }
    )
