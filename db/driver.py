"""Rows as the driver gives them, for whoever reads many and at once takes them apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession


async def fetch_records(
    connection: AsyncConnection | AsyncSession, statement: TextClause, parameters: Mapping[str, Any]
) -> Sequence[Sequence[Any]]:
    """Run a statement and give all its rows without SQLAlchemy's row objects, which cost as much as fetching.

    Args:
        connection: what runs it.
        statement: text, whose columns need nothing that SQLAlchemy's types do.
        parameters: by name.
    """
    result: Any = await connection.execute(statement, parameters)
    records: Sequence[Sequence[Any]] = result.cursor.fetchall()
    return records
