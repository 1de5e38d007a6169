"""A database that goes away while a connection is being opened is one that is away."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

import stack as stacks
from db.database import Database
from db.errors import Failure, UnreachableError, classify

CHECK = b"pg_backend_pid()"
"""In the first statement on a new connection."""


@asynccontextmanager
async def hanging_up(url: str, at: bytes) -> AsyncIterator[str]:
    """Give an address that passes everything on, until the client says something."""
    target = make_url(url)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(target.host, target.port)
        back = asyncio.create_task(_pass(answers, writer))
        while (said := await reader.read(65536)) and at not in said:
            requests.write(said)
        back.cancel()
        requests.close()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield target.set(port=server.sockets[0].getsockname()[1]).render_as_string(hide_password=False)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(65536):
        writer.write(said)


def error_message(state: str, message: str) -> bytes:
    """Give a fatal error as PostgreSQL sends it (its documentation, 54.8)."""
    fields = b"".join(field.encode() + b"\0" for field in ("SFATAL", f"C{state}", f"M{message}"))
    return b"E" + struct.pack(">i", 5 + len(fields)) + fields + b"\0"


@asynccontextmanager
async def refusing(state: str, message: str) -> AsyncIterator[str]:
    """Give the address of a server that answers as PostgreSQL does while it starts."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (said := await reader.read(65536)) == struct.pack(">ii", 8, 80877103):
            writer.write(b"N")
        if said:
            writer.write(error_message(state, message))
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"postgresql+asyncpg://squad@127.0.0.1:{server.sockets[0].getsockname()[1]}/squad"


async def failure(url: str) -> BaseException:
    database = Database(url=url)
    try:
        with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the caller's question
            await database.engine.connect()
    finally:
        await database.close()
    return raised.value


async def test_connection_that_ends_before_its_first_use_is_transient(database_url: str) -> None:
    async with hanging_up(database_url, CHECK) as url:
        error = await failure(url)
    assert isinstance(error, SQLAlchemyError | OSError), "all that those who wait for a database look out for"
    assert classify(error) is Failure.TRANSIENT


async def test_server_that_starts_or_is_full_is_transient() -> None:
    for state, message in (("57P03", "the database system is starting up"), ("53300", "too many clients already")):
        async with refusing(state, message) as url:
            error = await failure(url)
        assert isinstance(error, SQLAlchemyError | OSError)
        assert classify(error) is Failure.TRANSIENT


async def test_database_that_does_not_exist_is_not(database_url: str) -> None:
    url = make_url(database_url).set(database="nowhere").render_as_string(hide_password=False)
    error = await failure(url)
    assert isinstance(error, DBAPIError)
    assert classify(error) is Failure.HALF_DEPLOYED


async def test_database_that_takes_no_connections_is_waited_for(stack: stacks.Stack, database: Database) -> None:
    server = create_async_engine(stack.database_url, isolation_level="AUTOCOMMIT")
    allow = f"ALTER DATABASE {database.url.database} ALLOW_CONNECTIONS"
    async with server.connect() as connection:
        await connection.execute(text(f"{allow} false"))
        with pytest.raises(UnreachableError, match="not currently accepting connections") as met:
            await database.engine.connect()
        await connection.execute(text(f"{allow} true"))
    await server.dispose()
    assert classify(met.value) is Failure.TRANSIENT
    async with database.engine.connect():
        pass
