"""Building a consumer."""

from collections.abc import Callable

from app.broker import client_arguments
from app.controls import Controls
from app.monitoring import consuming
from app.monitoring.looking import look_at_letters
from app.settings import Settings
from app.wiring.applying import build_breaker, build_parking, build_policies, build_processor
from app.wiring.parts import Process, show_error
from consumers.breaker import Breaker
from consumers.caught_up import CaughtUp
from consumers.consumer import Consumer
from consumers.inbox_floor import Rule
from consumers.membership import Membership
from consumers.processor import Processor
from consumers.pruning import Pruner
from consumers.source import Source
from db.controls import Pauses
from db.database import Database

UPKEEP_CONNECTIONS = 3
"""Of a process, beside its lanes: one that prunes the inbox, one that notes which partitions are drained, and one that
reads the controls."""


def add_consumer(
    process: Process,
    settings: Settings,
    database: Database,
    upkeep: Database,
    on_applied: Callable[[], None],
    controls: Controls,
) -> None:
    """Add the parts of a consumer to a process.

    Args:
        process: gets the parts.
        settings: of the process.
        database: for the lanes.
        upkeep: for what runs beside them, on connections that they cannot take.
        on_applied: called after each committed batch.
        controls: what operators asked for, read once at least.
    """
    source, breaker = build_source(settings, database), build_breaker(settings)
    controls.follow(lambda asked: source.pause(Pauses.among(asked)))
    controls.follow(lambda asked: source.release(breaker.obey(asked)))
    processor = build_processor(settings, database, breaker)
    consumer = Consumer(
        source=source,
        processor=processor,
        lanes=settings.lanes,
        on_applied=lambda _: on_applied(),
        deploy_seconds=settings.deploy_wait_seconds,
        backoff_seconds=settings.backoff_first_seconds,
        backoff_most_seconds=settings.backoff_most_seconds,
        attempts=settings.failure_attempts,
        halving_attempts=settings.halving_attempts,
        policies=build_policies(settings),
    )
    process.parts.append(consumer)
    add_pruning(process, settings, upkeep, source)
    _show(process, settings, source, processor, consumer, breaker)


def _show(
    process: Process, settings: Settings, source: Source, processor: Processor, consumer: Consumer, breaker: Breaker
) -> None:
    """Let metrics, readiness and heartbeats show a consumer's parts."""
    process.readers.extend(
        [
            lambda: consuming.read_commands(consumer),
            lambda: consuming.read_batches(consumer, processor),
            lambda: consuming.read_partitions(source),
            lambda: consuming.read_breaker(breaker),
        ]
    )
    process.looks.append(look_at_letters)
    process.ready["group"] = lambda: None if source.is_member else "it has not dealt its partitions yet"
    process.ready["client"] = lambda: source.trouble
    process.ready["breaker"] = lambda: consuming.why_broken(breaker)
    process.describe["client"] = lambda: {"trouble": source.trouble, "rebuilds": source.rebuilds}
    process.describe["group"] = lambda: settings.consumer_group
    process.describe["applied"] = lambda: dict(consumer.counts)
    process.describe["positions"] = lambda: {str(each): offset for each, offset in source.positions.items()}
    process.describe["lag"] = lambda: {str(each): lag for each, lag in source.lags.items()}
    process.describe["in_flight"] = lambda: {str(each): count for each, count in consumer.in_flight.items()}
    process.describe["waits_for"] = lambda: {
        failure: count for failure, count in consumer.tally.waiting.items() if count
    }
    process.describe["consumer_error"] = lambda: show_error(consumer.tally.last_error)
    process.describe["breaker"] = breaker.describe
    process.describe["paused"] = lambda: {str(each): why for each, why in source.paused.items()}
    process.describe["stopped"] = lambda: {str(each): why for each, why in source.stopped.items()}
    process.describe["stopped_since"] = lambda: {
        str(each): stop.since.isoformat(timespec="seconds") for each, stop in source.stops.items()
    }


def add_pruning(process: Process, settings: Settings, database: Database, source: Source) -> None:
    """Add what lets the inbox forget, on connections that the lanes cannot take."""
    pruner = Pruner(
        database=database,
        rule=build_rule(settings),
        max_rows=settings.inbox_prune_max_rows,
        pause_seconds=settings.inbox_prune_pause_seconds,
        interval_seconds=settings.inbox_prune_interval_seconds,
    )
    caught_up = CaughtUp(
        database=database,
        group=settings.consumer_group,
        drained=lambda: source.drained,
        answer_seconds=settings.request_seconds,
        interval_seconds=settings.caught_up_interval_seconds,
    )
    process.parts.extend([pruner, caught_up])
    process.describe["inbox"] = pruner.describe
    process.readers.append(lambda: consuming.read_inbox(pruner))


def build_rule(settings: Settings) -> Rule:
    """Say when a decided command may be forgotten."""
    return Rule(
        age_limit_seconds=settings.command_age_limit_seconds,
        skew_seconds=settings.command_skew_seconds,
        keep_seconds=settings.inbox_keep_days * 86_400,
        trusts_time=not settings.accept_producer_time,
    )


def build_source(settings: Settings, database: Database) -> Source:
    """Build what reads commands from Kafka."""
    return Source(
        database=database,
        group=settings.consumer_group,
        topic=settings.topic("commands"),
        client=client_arguments(settings),
        membership=Membership(
            session_seconds=settings.session_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            rebalance_seconds=settings.rebalance_seconds,
            request_seconds=settings.request_seconds,
            finish_seconds=settings.rebalance_finish_seconds,
            instance=settings.consumer_instance,
            metadata_max_age_seconds=settings.metadata_max_age_seconds,
            fetch_max_bytes=settings.fetch_max_bytes,
            partition_fetch_max_bytes=settings.partition_fetch_max_bytes,
        ),
        lanes=settings.lanes,
        max_records=settings.batch_max_commands,
        max_bytes=settings.batch_max_bytes,
        max_unpacked_bytes=settings.fetch_max_unpacked_bytes,
        first_start=settings.first_start,
        parking=build_parking(settings),
        accept_producer_time=settings.accept_producer_time,
        poll_seconds=settings.consumer_poll_seconds,
        commit_seconds=settings.group_commit_seconds,
        stop_seconds=settings.consumer_stop_seconds,
        stall_seconds=settings.consumer_stall_seconds,
        deploy_seconds=settings.deploy_wait_seconds,
    )
