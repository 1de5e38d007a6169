"""Adding many rows at once, by COPY in the session's own transaction.

COPY in binary takes rows as they are, arrays and bytes included. `INSERT … SELECT unnest` of the same rows costs the
client twice the processor time, most of it in asyncpg's look at every element of every array (bench/inserting.py, ADR
0002); and Python's processor time is what limits a consumer.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_BEGIN: Final = text("SELECT 1")


async def add_rows(session: AsyncSession, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows to a table, in order; columns that are not named get their defaults, row by row.

    Args:
        session: whose transaction it joins.
        table: its name.
        columns: their names, in the order of the values.
        rows: values as the driver takes them; UUIDs may be text. None at all: nothing is sent.

    Raises:
        asyncpg.PostgresError: what the server said; the driver's own error, `db.errors.classify` knows it.
    """
    if not rows:
        return
    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if not driver.is_in_transaction():
        # SQLAlchemy begins with the first statement it sends itself; before that, COPY would commit on its own.
        await session.execute(_BEGIN)
    await driver.copy_records_to_table(table, columns=columns, records=rows)
