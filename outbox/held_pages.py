"""Held rows by the page, for whoever publishes them after all, and what became of them stored by who leads still."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ARRAY, BigInteger, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.driver import fetch_records
from outbox import cursor as cursors
from outbox import wire
from outbox.connection import transaction_on
from outbox.cursor import Cursor
from outbox.held import Line
from outbox.holds import Holds
from outbox.window import COLUMNS
from outbox.wire import Record

# Whatever their transaction. With the range, because an array does not tell which partitions to look in.
ROWS: Final = text(
    f"""
    SELECT {COLUMNS} FROM outbox
    WHERE position >= :low AND position <= :high AND position = ANY(:positions)
    ORDER BY position
    """  # noqa: S608 - constants only
).bindparams(
    bindparam("low", type_=BigInteger),
    bindparam("high", type_=BigInteger),
    bindparam("positions", type_=ARRAY(BigInteger)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPages:
    """Reads and settles held rows of a shard.

    Attributes:
        connection: of the relay's reader.
        cursor: with the epoch that fences.
        holds: of the shard.
        page_rows, page_bytes: how much is published at once.
    """

    connection: AsyncConnection
    cursor: Cursor
    holds: Holds
    page_rows: int
    page_bytes: int

    async def fetch(self, lines: list[Line]) -> tuple[list[Record], list[int]]:
        """Read as many lines' rows as a page takes in bytes, one at least.

        Returns:
            Their records by position, and the positions of which the outbox has no row any more.
        """
        taken = self._cut(lines)
        records = await self.fetch_records([line.position for line in taken if line.is_there])
        return records, [line.position for line in taken if not line.is_there]

    async def fetch_records(self, positions: Sequence[int]) -> list[Record]:
        """Give the records of rows that are there, by position."""
        if not positions:
            return []
        place = {"low": min(positions), "high": max(positions), "positions": list(positions)}
        return wire.wrap(await fetch_records(self.connection, ROWS, place))

    @asynccontextmanager
    async def settling(self) -> AsyncIterator[None]:
        """Make a transaction of the statements in the block, as whoever has the cursor.

        Raises:
            LeaseLostError: a later epoch has it; nothing was stored.
        """
        async with transaction_on(self.connection):
            await cursors.fence(self.connection, self.cursor)
            yield

    def _cut(self, lines: list[Line]) -> list[Line]:
        total = 0
        for count, line in enumerate(lines):
            total += line.bytes or 0
            if count and total > self.page_bytes:
                return lines[:count]
        return lines
