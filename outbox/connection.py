"""Connections that one part of the outbox keeps for itself, in autocommit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database


@asynccontextmanager
async def own_connection(database: Database) -> AsyncIterator[AsyncConnection]:
    """Give a connection in autocommit that never goes back to the pool, whatever was set on it.

    Args:
        database: whose pool one place is taken of meanwhile.
    """
    connection = await database.engine.connect()
    try:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    finally:
        await connection.invalidate()
        await connection.close()
