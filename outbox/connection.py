"""Connections that one part of the outbox keeps for itself, in autocommit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database

_BEGIN: Final = text("BEGIN")
_COMMIT: Final = text("COMMIT")

# From 17 on. A client that stops in the middle of a statement's messages is neither idle nor in a statement; a relay's
# successor would wait for the cursor's row for ever. Not for the connection: to see what is new may take longer.
_LIMIT: Final = text(
    """
    SELECT set_config('transaction_timeout', '60s', true)
    WHERE CAST(current_setting('server_version_num') AS integer) >= 170000
    """
)


async def connect_alone(database: Database) -> AsyncConnection:
    """Open a connection in autocommit, to be closed by `disconnect`.

    Args:
        database: whose pool one place is taken of meanwhile.
    """
    connection = await database.engine.connect()
    return await connection.execution_options(isolation_level="AUTOCOMMIT")


async def disconnect(connection: AsyncConnection) -> None:
    """Close a connection for good: whatever was set on it must not go back to the pool."""
    await connection.invalidate()
    await connection.close()


@asynccontextmanager
async def own_connection(database: Database) -> AsyncIterator[AsyncConnection]:
    """Give a connection of `connect_alone`, and disconnect it at the end."""
    connection = await connect_alone(database)
    try:
        yield connection
    finally:
        await disconnect(connection)


@asynccontextmanager
async def transaction_on(connection: AsyncConnection) -> AsyncIterator[None]:
    """Make a transaction of the statements in the block, on a connection that is otherwise in autocommit.

    There is no rollback: whoever meets an error disconnects, and the server undoes what was begun; after a minute also
    where nobody disconnects.
    """
    await connection.execute(_BEGIN)
    await connection.execute(_LIMIT)
    yield
    await connection.execute(_COMMIT)
