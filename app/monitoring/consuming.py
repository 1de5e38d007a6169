"""What is read of a consumer's parts."""

from collections.abc import Iterator
from datetime import UTC, datetime

from app.monitoring.readings import Reading
from consumers.breaker import Breaker
from consumers.consumer import Consumer
from consumers.processor import Processor
from consumers.pruning import Pruner
from consumers.source import Source
from db.errors import Failure
from domain.rejections import Code
from messages.outcome import Outcome
from messages.refusals import Reason

_KINDS = ("event", "outcome", "reply")


def read_commands(consumer: Consumer) -> Iterator[Reading]:
    """What became of records, and what was written for them."""
    counts = consumer.counts
    rejected = {code: counts[f"rejected: {code}"] for code in Code}
    letters = {reason: counts[f"dead letter: {reason}"] for reason in Reason}
    for outcome, count in {
        Outcome.APPLIED: counts["applied"],
        Outcome.REJECTED: sum(rejected.values()),
        Outcome.EXPIRED: counts["expired"],
        Outcome.PARKED: counts["parked"],
        Outcome.DEAD_LETTERED: sum(letters.values()),
        "duplicate": counts["duplicate"],
    }.items():
        yield Reading("squad_commands_total", count, (outcome,))
    for code, count in rejected.items():
        yield Reading("squad_commands_rejected_total", count, (code,))
    for reason, count in letters.items():
        yield Reading("squad_dead_letters_total", count, (reason,))
    for kind in _KINDS:
        yield Reading("squad_outbox_rows_total", counts[kind], (kind,))


def read_batches(consumer: Consumer, processor: Processor) -> Iterator[Reading]:
    """How batches got on."""
    yield Reading("squad_batch_seconds", processor.batch_seconds)
    yield Reading("squad_batch_records", processor.batch_records)
    for phase, seconds in processor.phase_seconds.items():
        yield Reading("squad_batch_phase_seconds_total", seconds, (phase,))
    yield Reading("squad_records_in_flight", sum(consumer.in_flight.values()))
    tally = consumer.tally
    for failure in Failure:
        yield Reading("squad_troubles_total", tally.troubles[failure], (failure,))
        yield Reading("squad_troubles", tally.waiting[failure], (failure,))
        yield Reading("squad_retries_total", tally.retries[failure], (failure,))
    yield Reading("squad_fenced_batches_total", tally.fenced)
    yield Reading("squad_rivals_total", tally.rivals)
    yield Reading("squad_bisections_total", tally.bisections)
    yield Reading("squad_culprits_total", tally.culprits)


def read_partitions(source: Source) -> Iterator[Reading]:
    """How far the partitions are read."""
    yield Reading("squad_group_member", source.is_member)
    yield Reading("squad_group_assignments_total", source.generation)
    yield Reading("squad_client_rebuilds_total", source.rebuilds)
    yield Reading("squad_records_read_ahead", source.read_ahead)
    for partition, position in source.positions.items():
        yield Reading("squad_partition_position", position, (str(partition.number),))
    for partition, lag in source.lags.items():
        yield Reading("squad_partition_lag_records", lag, (str(partition.number),))
    stops, paused, now = source.stops, source.paused, datetime.now(UTC)
    for partition in source.dealt:
        number, stop = (str(partition.number),), stops.get(partition)
        yield Reading("squad_partition_stopped", stop is not None, number)
        yield Reading("squad_partition_stopped_seconds", (now - stop.since).total_seconds() if stop else 0, number)
        yield Reading("squad_partition_awaits_room", bool(stop and stop.awaits), number)
        yield Reading("squad_partition_paused", partition in paused, number)


def read_breaker(breaker: Breaker) -> Iterator[Reading]:
    """Whether dead letters are too many."""
    yield Reading("squad_breaker_open_partitions", len(breaker.open_for))
    yield Reading("squad_breaker_open", breaker.open_overall is not None)


def why_broken(breaker: Breaker) -> str | None:
    """Say why the breaker is open, for all partitions or for some."""
    each = (f"{partition}: {why}" for partition, why in sorted(breaker.open_for.items()))
    return breaker.open_overall or "; ".join(each) or None


def read_inbox(pruner: Pruner) -> Iterator[Reading]:
    """How much the inbox has forgotten."""
    yield Reading("squad_inbox_pruned_rows_total", pruner.pruned)
    standing = pruner.standing
    if standing is not None:
        yield Reading("squad_inbox_held_back", standing.held_back is not None)
        if standing.floor is not None:
            yield Reading("squad_inbox_floor_age_seconds", (datetime.now(UTC) - standing.floor).total_seconds())
