"""Building the relays of a process."""

from collections.abc import Awaitable, Callable

from app.broker import client_arguments
from app.controls import Controls
from app.monitoring import relaying
from app.monitoring.looking import look_at_outbox
from app.monitoring.readiness import silent
from app.settings import Settings
from app.wiring.databases import build_partitions
from app.wiring.parts import Process, show_error
from db.controls import RELAY
from db.database import Database
from db.processes import fetch_live
from outbox.lease import Lease, relay_lease
from outbox.publisher import KafkaPublisher
from outbox.relay import Relay
from outbox.relays import Relays
from outbox.retention import Retention
from outbox.settling import RefusalPolicy
from outbox.tally import Tally
from outbox.wake import Listener, Wake

_RELAY_KINDS = ("relay", "all")
_HEARTBEATS_MISSED = 3
"""After so many a process no longer counts among those that share the shards."""


def count_relay_connections(settings: Settings) -> int:
    """Give the size of the pool that relays have for themselves.

    One connection listens, one is for partitions, one looks at the shards, one is to spare; and each shard that is led
    has one that reads and one for its lease.
    """
    return 4 + 2 * settings.relay_max_shards


def add_relays(process: Process, settings: Settings, database: Database, wake: Wake, controls: Controls) -> None:
    """Add the relays and what they need to a process."""
    tally = Tally()
    relays = Relays(
        database=database,
        build=lambda shard: build_relay(settings, database, shard, wake.follower(), controls, tally),
        most_shards=settings.relay_max_shards,
        interval_seconds=settings.lease_renew_seconds,
        count_processes=_count(settings, database),
        deploy_seconds=settings.deploy_wait_seconds,
    )
    retention = build_retention(settings, database)
    listener = Listener(database=database, wake=wake, check_seconds=settings.relay_listen_check_seconds)
    partitions = build_partitions(settings, database, retention=retention)
    process.parts.extend([relays, listener, partitions])
    process.describe["partitions_held_back"] = lambda: dict(retention.obstacles)
    process.describe["leads"] = lambda: relays.leading
    process.describe["waits_for_kafka"] = lambda: tally.unavailable
    process.describe["relay_error"] = lambda: show_error(tally.last_error)
    process.describe["paused_shards"] = lambda: {
        str(shard): why for shard in relays.leading if (why := _why_paused(controls, shard)) is not None
    }
    process.describe["troubles"] = relays.describe
    process.readers.extend(
        [
            lambda: relaying.read_relays(relays, tally),
            lambda: relaying.read_retention(retention),
            lambda: relaying.read_pauses(relays, lambda shard: _why_paused(controls, shard)),
        ]
    )
    process.looks.append(look_at_outbox)
    patience_seconds = settings.monitoring_ready_seconds + settings.lease_renew_seconds
    process.ready["relay"] = lambda: silent("shards and leases last seen", relays.looked_at, patience_seconds)


def build_retention(settings: Settings, database: Database) -> Retention:
    """Build what retires old partitions of the outbox."""
    return Retention(
        database=database,
        keep_days=settings.outbox_keep_days,
        drop_delay_seconds=settings.outbox_drop_delay_seconds,
        lock_timeout_seconds=settings.outbox_lock_timeout_seconds,
    )


def build_relay(
    settings: Settings, database: Database, shard: int, wake: Wake, controls: Controls, tally: Tally
) -> Relay:
    """Build the relay of a shard, with a lease and a publisher of its own; the tally is all relays'."""
    publisher = build_publisher(settings, tally)
    return Relay(
        database=database,
        publisher=publisher,
        troubles=publisher.troubles,
        lease=Lease(
            database=database,
            name=relay_lease(shard),
            ttl_seconds=settings.lease_seconds,
            renew_seconds=settings.lease_renew_seconds,
        ),
        wake=wake,
        refusals=RefusalPolicy(
            way=settings.relay_refused_rows,
            dead_letters_topic=settings.topic("dead-letters"),
            dead_letter_bytes=settings.dead_letter_max_bytes,
        ),
        is_paused=lambda: _why_paused(controls, shard) is not None,
        shard=shard,
        page_rows=settings.relay_page_max_rows,
        page_bytes=settings.relay_page_max_bytes,
        poll_least_seconds=settings.relay_poll_least_seconds,
        poll_most_seconds=settings.relay_poll_most_seconds,
        waiting_most_rows=settings.relay_waiting_max_rows,
        backoff_first_seconds=settings.backoff_first_seconds,
        backoff_most_seconds=settings.backoff_most_seconds,
        stop_seconds=settings.relay_stop_seconds,
        deploy_seconds=settings.deploy_wait_seconds,
        tally=tally,
    )


def build_publisher(settings: Settings, tally: Tally) -> KafkaPublisher:
    """Build what publishes for one relay."""
    return KafkaPublisher(
        client=client_arguments(settings),
        batch_bytes=settings.relay_batch_max_bytes,
        records_per_producer=settings.relay_producer_max_records,
        request_timeout_seconds=settings.relay_request_timeout_seconds,
        batch_timeout_seconds=settings.relay_batch_timeout_seconds,
        patience_seconds=settings.relay_place_patience_seconds,
        compression=None if settings.relay_compression == "none" else settings.relay_compression,
        backoff_first_seconds=settings.backoff_first_seconds,
        backoff_most_seconds=settings.backoff_most_seconds,
        tally=tally,
    )


def _why_paused(controls: Controls, shard: int) -> str | None:
    return controls.pauses.why(RELAY, relay_lease(shard))


def _count(settings: Settings, database: Database) -> Callable[[], Awaitable[int]]:
    within_seconds = _HEARTBEATS_MISSED * settings.heartbeat_interval_seconds

    async def count() -> int:
        async with database.sessions() as session:
            live = await fetch_live(session, max_age_seconds=within_seconds)
        return sum(each.kind in _RELAY_KINDS for each in live)

    return count
