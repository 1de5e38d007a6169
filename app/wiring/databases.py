"""Building the database's object, and making its schema and partitions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import URL

from app.options import database_rules
from app.settings import Settings, SettingsError, variable
from db import addresses, hosts, sessions
from db.database import Database
from migrations import run as migrations
from outbox.partitions import Partitions
from outbox.retention import Retention


def build_database(
    settings: Settings, *, pool_size: int | None = None, direct: bool = False, batches: bool = False
) -> Database:
    """Build the database's object; nothing connects yet.

    Args:
        settings: where it is, and its timeouts.
        pool_size: connections at most, in place of the setting.
        direct: whether it must be PostgreSQL itself, not a pooler.
        batches: whether its transactions are a consumer's batches, which have a time limit.

    Raises:
        SettingsError: there is no address of PostgreSQL itself.
    """
    replica = None if direct else database_rules.replica_address(settings)

    def build(url: URL, *, writes: bool, replica: Database | None = None) -> Database:
        return Database(
            url=url,
            writes=writes,
            replica=replica,
            tls=database_rules.tls(settings),
            pooled=settings.database_pooler != "none" and not direct,
            proxy_trusted=settings.database_proxy == "trusted",
            pool_size=pool_size or settings.database_pool_size,
            pool_timeout_seconds=settings.database_pool_timeout_seconds,
            connect_timeout_seconds=settings.database_connect_timeout_seconds,
            statement_timeout_seconds=settings.statement_timeout_seconds,
            lock_timeout_seconds=settings.lock_timeout_seconds,
            idle_in_transaction_timeout_seconds=settings.idle_in_transaction_timeout_seconds,
            transaction_timeout_seconds=settings.transaction_timeout_seconds if batches else None,
            tcp_user_timeout_seconds=settings.tcp_user_timeout_seconds,
            connection_check_interval_seconds=settings.connection_check_interval_seconds,
            answer_spare_seconds=settings.answer_spare_seconds,
            random_page_cost=settings.random_page_cost,
        )

    return build(
        _address(settings, direct=direct),
        writes=True,
        replica=None if replica is None else build(replica, writes=False),
    )


@asynccontextmanager
async def open_database(
    settings: Settings, *, pool_size: int | None = None, direct: bool = False, batches: bool = False
) -> AsyncIterator[Database]:
    """Give the database of `build_database`, closed at the end."""
    database = build_database(settings, pool_size=pool_size, direct=direct, batches=batches)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_sessions(settings: Settings) -> AsyncIterator[Database]:
    """Let the functions of `db.sessions` give sessions, for as long as the block lasts; give their database."""
    async with open_database(settings) as database:
        sessions.bind(database)
        try:
            yield database
        finally:
            sessions.unbind()


def migrate(settings: Settings) -> None:
    """Bring the schema up to this release."""
    arguments = {"ssl": database_rules.tls(settings).for_asyncpg(), "async_creator_fn": hosts.Hosts().connect}
    migrations.upgrade(
        addresses.with_default(_address(settings, direct=True)),
        connect_arguments=arguments,
        lock_timeout_seconds=settings.migration_lock_timeout_seconds,
    )


async def make_partitions(settings: Settings) -> None:
    """Make the outbox's partitions for today and the coming days."""
    async with open_database(settings, direct=True) as database:
        await build_partitions(settings, database).maintain_once()


def build_partitions(settings: Settings, database: Database, *, retention: Retention | None = None) -> Partitions:
    """Build what makes the outbox's partitions and, with a retention, drops old ones."""
    return Partitions(
        database=database,
        days_ahead=settings.outbox_days_ahead,
        lock_timeout_seconds=settings.outbox_lock_timeout_seconds,
        interval_seconds=settings.outbox_maintenance_interval_seconds,
        retention=retention,
        deploy_seconds=settings.deploy_wait_seconds,
    )


def _address(settings: Settings, *, direct: bool) -> URL:
    if direct and settings.database_pooler != "none" and settings.database_direct_url is None:
        raise SettingsError(
            f"{variable('database_direct_url')}: is needed by relay and migrations with"
            f" {variable('database_pooler')}={settings.database_pooler}"
        )
    return database_rules.address(settings, direct=direct)
