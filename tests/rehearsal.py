"""A database of which everything can be taken back: many trials on one ground, without filling it anew each time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker

from db.database import Database


class Rehearsal(Database):
    """A database whose transactions are savepoints within one connection's, which never commits.

    What shows at COMMIT alone does not show here; everything else is as it is in earnest.

    Args:
        connection: in a transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(url=connection.engine.url)
        self._connection = connection
        self.__dict__["sessions"] = async_sessionmaker(
            connection, class_=AsyncSession, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )

    @asynccontextmanager
    async def taken_back(self) -> AsyncIterator[None]:
        """Take back, at the end of the block, whatever was done in it."""
        savepoint = await self._connection.begin_nested()
        try:
            yield
        finally:
            await savepoint.rollback()


@asynccontextmanager
async def rehearsing(database: Database) -> AsyncIterator[Rehearsal]:
    """Give a rehearsal on what a database holds, which it holds unchanged afterwards."""
    async with database.engine.connect() as connection, connection.begin() as transaction:
        yield Rehearsal(connection)
        await transaction.rollback()
