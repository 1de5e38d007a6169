"""What is read of a process's relays."""

from collections.abc import Callable, Iterator
from typing import get_args

from app.monitoring.readings import Reading
from outbox.refused import Way
from outbox.relays import Relays
from outbox.retention import Retention
from outbox.tally import Tally


def read_relays(relays: Relays, tally: Tally) -> Iterator[Reading]:
    """What was published, and which shards are led."""
    yield Reading("squad_relay_published_rows_total", tally.published)
    yield Reading("squad_relay_page_seconds", tally.page_seconds)
    yield Reading("squad_relay_page_rows", tally.page_rows)
    for way in get_args(Way):
        yield Reading("squad_relay_refused_rows_total", tally.refused[way], (way,))
    yield Reading("squad_relay_withheld_rows_total", tally.withheld)
    yield Reading("squad_relay_set_aside_rows_total", tally.set_aside)
    yield Reading("squad_relay_tried_again_rows_total", tally.tried_again)
    yield Reading("squad_relay_unknown_results_total", tally.unknown)
    yield Reading("squad_relay_producers_total", tally.producers)
    yield Reading("squad_relay_kafka_unavailable", tally.unavailable)
    yield Reading("squad_relay_interruptions_total", tally.interruptions)
    lasting = [place for troubles in relays.describe().values() for place in troubles.values() if place["rows_wait"]]
    yield Reading("squad_relay_places_lasting", len(lasting))
    for shard, epoch in relays.epochs.items():
        yield Reading("squad_relay_leads", 1, (str(shard),))
        yield Reading("squad_relay_epoch", epoch, (str(shard),))


def read_pauses(relays: Relays, why_paused: Callable[[int], str | None]) -> Iterator[Reading]:
    """Which of the led shards are paused."""
    for shard in relays.leading:
        yield Reading("squad_relay_paused", why_paused(shard) is not None, (str(shard),))


def read_retention(retention: Retention) -> Iterator[Reading]:
    """Which old tables stay."""
    yield Reading("squad_outbox_tables_held_back", len(retention.obstacles))
