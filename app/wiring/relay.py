"""Building a relay."""

from contextlib import AsyncExitStack

from app.broker import client_arguments
from app.settings import Settings
from app.wiring.parts import Process
from db.database import Database
from outbox.lease import Lease
from outbox.partitions import Partitions
from outbox.publisher import KafkaPublisher
from outbox.relay import Relay
from outbox.settling import RefusalPolicy
from outbox.wake import Listener, Wake

RELAY_CONNECTIONS = 5
"""Of a relay: one that reads, one that listens, one for the lease, one for partitions, and one to spare."""


def add_relay(process: Process, settings: Settings, database: Database, wake: Wake, resources: AsyncExitStack) -> None:
    """Add the parts of a relay to a process."""
    publisher = KafkaPublisher(
        client=client_arguments(settings),
        batch_bytes=settings.relay_batch_max_bytes,
        records_per_producer=settings.relay_producer_max_records,
    )
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
        refusals=RefusalPolicy(
            way=settings.relay_refused_rows,
            dead_letters_topic=settings.topic("dead-letters"),
            dead_letter_bytes=settings.dead_letter_max_bytes,
        ),
        page_rows=settings.relay_page_max_rows,
        page_bytes=settings.relay_page_max_bytes,
        poll_least_seconds=settings.relay_poll_least_seconds,
        poll_most_seconds=settings.relay_poll_most_seconds,
    )
    partitions = Partitions(database=database, days_ahead=settings.outbox_days_ahead)
    process.parts.extend([relay, Listener(database=database, wake=wake), partitions])
    process.describe["leads"] = lambda: lease.is_held
