"""The one place where parts are built."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from app.broker import client_arguments
from app.settings import Settings
from consumers.consumer import Consumer
from consumers.decide import Topics
from consumers.decode import Decoder
from consumers.processor import Processor
from consumers.source import Source
from db.database import Database
from messages.codec import Limits
from migrations import run as migrations
from outbox.partitions import Partitions


def build_database(settings: Settings) -> Database:
    """Build the database's object; nothing connects yet."""
    return Database(
        url=settings.database_url,
        pool_size=settings.database_pool_size,
        connect_timeout_seconds=settings.database_connect_timeout_seconds,
        statement_timeout_seconds=settings.statement_timeout_seconds,
        lock_timeout_seconds=settings.lock_timeout_seconds,
        idle_in_transaction_timeout_seconds=settings.idle_in_transaction_timeout_seconds,
        tcp_user_timeout_seconds=settings.tcp_user_timeout_seconds,
        connection_check_interval_seconds=settings.connection_check_interval_seconds,
    )


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Give the database, closed at the end."""
    database = build_database(settings)
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


def build_topics(settings: Settings) -> Topics:
    """Say where messages go, and as whom."""
    return Topics(
        events=settings.topic("events"),
        outcomes=settings.topic("outcomes"),
        dead_letters=settings.topic("dead-letters"),
        source=settings.event_source,
        dead_letter_bytes=settings.dead_letter_max_bytes,
    )


def build_processor(settings: Settings, database: Database) -> Processor:
    """Build what applies batches."""
    limits = Limits(
        record_bytes=settings.record_max_bytes,
        headers=settings.record_max_headers,
        header_bytes=settings.record_max_header_bytes,
        json_depth=settings.record_max_json_depth,
    )
    return Processor(
        database=database,
        group=settings.consumer_group,
        topics=build_topics(settings),
        decoder=Decoder(limits=limits, allowed_sources=settings.command_sources),
    )


def build_source(settings: Settings, database: Database) -> Source:
    """Build what reads commands from Kafka."""
    return Source(
        database=database,
        group=settings.consumer_group,
        topic=settings.topic("commands"),
        client=client_arguments(settings),
        lanes=settings.lanes,
        max_records=settings.batch_max_commands,
        max_bytes=settings.batch_max_bytes,
        first_start=settings.first_start,
        session_seconds=settings.session_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
    )
