"""Building the database's object, and making its schema and partitions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.settings import Settings
from db.database import Database
from migrations import run as migrations
from outbox.partitions import Partitions


def build_database(settings: Settings, *, pool_size: int | None = None) -> Database:
    """Build the database's object; nothing connects yet.

    Args:
        settings: where it is, and its timeouts.
        pool_size: connections at most, in place of the setting.
    """
    return Database(
        url=settings.database_url,
        pool_size=pool_size or settings.database_pool_size,
        connect_timeout_seconds=settings.database_connect_timeout_seconds,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        lock_timeout_seconds=settings.lock_timeout_seconds,
        idle_in_transaction_timeout_seconds=settings.idle_in_transaction_timeout_seconds,
        tcp_user_timeout_seconds=settings.tcp_user_timeout_seconds,
        connection_check_interval_seconds=settings.connection_check_interval_seconds,
    )


@asynccontextmanager
async def open_database(settings: Settings, *, pool_size: int | None = None) -> AsyncIterator[Database]:
    """Give the database, closed at the end."""
    database = build_database(settings, pool_size=pool_size)
    try:
        yield database
    finally:
        await database.close()


def migrate(settings: Settings) -> None:
    """Bring the schema up to this release."""
    migrations.upgrade(settings.database_url)


async def make_partitions(settings: Settings) -> None:
    """Make the outbox's partitions for today and the coming days."""
    async with open_database(settings) as database:
        await Partitions(database=database).maintain_once()
