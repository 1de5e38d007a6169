"""The one place where parts are built."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, assert_never

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
from outbox.lease import Lease
from outbox.partitions import Partitions
from outbox.publisher import KafkaPublisher
from outbox.relay import Relay
from outbox.wake import Listener, Notifier, Wake

Kind = Literal["consumer", "relay", "all"]
"""What a process is: a consumer, a relay, or both."""

RELAY_CONNECTIONS = 5
"""Of a relay: one that reads, one that listens, one for the lease, one for partitions, and one to spare."""


class Part(Protocol):
    """A long-lived part: runs until stopped; stopping twice is stopping once."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Process:
    """The parts of a process.

    Args:
        parts: each runs until it is stopped.
        describe: give what the process shows of itself, by subject.
    """

    parts: list[Part] = field(default_factory=list)
    describe: dict[str, Callable[[], Any]] = field(default_factory=dict)


@asynccontextmanager
async def open_process(settings: Settings, kind: Kind) -> AsyncIterator[Process]:
    """Give a process, whose connections are closed at the end.

    Args:
        settings: of the process.
        kind: which parts it has.
    """
    async with AsyncExitStack() as resources:
        database = await resources.enter_async_context(open_database(settings))
        # Connections that the lanes cannot take: a relay that waits for one would lose its lease.
        own = await resources.enter_async_context(open_database(settings, pool_size=RELAY_CONNECTIONS))
        process, wake = Process(), Wake()
        match kind:
            case "consumer":
                notifier = Notifier(database=own)
                process.parts.append(notifier)
                _add_consumer(process, settings, database, notifier.notify)
            case "relay":
                _add_relay(process, settings, own, wake, resources)
            case "all":
                _add_consumer(process, settings, database, wake.set)
                _add_relay(process, settings, own, wake, resources)
            case _:
                assert_never(kind)
        yield process


def _add_consumer(process: Process, settings: Settings, database: Database, on_applied: Callable[[], None]) -> None:
    source = build_source(settings, database)
    consumer = Consumer(
        source=source,
        processor=build_processor(settings, database),
        lanes=settings.lanes,
        on_applied=lambda _: on_applied(),
        deploy_seconds=settings.deploy_wait_seconds,
    )
    process.parts.append(consumer)
    process.describe["applied"] = lambda: dict(consumer.counts)
    process.describe["positions"] = lambda: {str(each): offset for each, offset in source.positions.items()}
    process.describe["stopped"] = lambda: {str(each): why for each, why in source.stopped.items()}


def _add_relay(process: Process, settings: Settings, database: Database, wake: Wake, resources: AsyncExitStack) -> None:
    publisher = KafkaPublisher(client=client_arguments(settings), batch_bytes=settings.relay_batch_max_bytes)
    resources.push_async_callback(publisher.close)
    lease = Lease(
        database=database,
        name="relay-0",
        ttl_seconds=settings.lease_seconds,
        renew_seconds=settings.lease_renew_seconds,
    )
    relay = Relay(
        database=database,
        publisher=publisher,
        lease=lease,
        wake=wake,
        page_rows=settings.relay_page_max_rows,
        page_bytes=settings.relay_page_max_bytes,
        poll_least_seconds=settings.relay_poll_least_seconds,
        poll_most_seconds=settings.relay_poll_most_seconds,
    )
    partitions = Partitions(database=database, days_ahead=settings.outbox_days_ahead)
    process.parts.extend([relay, Listener(database=database, wake=wake), partitions])
    process.describe["leads"] = lambda: lease.is_held


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
