"""Every name and label of the closed list, with the number that the part it is read of has under that very name.

Each attribute of each stand-in has a number of its own, so a reading of the wrong attribute shows.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from app.monitoring import consuming, looking, relaying
from app.monitoring.loop_watch import LoopWatch
from app.monitoring.names import METRICS, NUMBERS, PARTS, PHASES, POOLS
from app.monitoring.pools import read_pools
from app.monitoring.processes import read_answer, read_process
from app.monitoring.readiness import read_readiness
from app.monitoring.readings import Reading
from consumers.assignment import Stop
from consumers.inbox_floor import Standing
from consumers.records import Partition
from consumers.tally import Tally
from consumers.unsettled import Unsettled
from db.database import PoolUse
from db.distribution import ROWS, SECONDS, Distribution
from db.errors import Failure
from domain.rejections import Code
from messages.outcome import Outcome
from messages.refusals import Reason
from outbox import status
from outbox import tally as relay_tally
from outbox.refused import Way
from outbox.status import Waiting

Values = dict[tuple[str, ...], object]
"""By name and labels."""

KINDS = ("event", "outcome", "reply")
P3, P5, P7 = (Partition("commands", number) for number in (3, 5, 7))


def spread(bounds: Sequence[float], *values: float) -> Distribution:
    found = Distribution(bounds)
    for value in values:
        found.note(value)
    return found


def shown(readings: Iterable[Reading]) -> Values:
    """Give what was read; of a distribution the number of values and their sum."""
    found: Values = {}
    for name, value, labels in readings:
        assert (name, *labels) not in found, f"{name} is read twice"
        found[name, *labels] = (value.count, value.sum) if isinstance(value, Distribution) else value
    return found


def numbered(names: Iterable[str], first: int) -> dict[str, int]:
    """Give each name a number of its own, from one on."""
    return {name: first + number for number, name in enumerate(names)}


def as_read(name: str, values: dict[str, int]) -> Values:
    return {(name, label): value for label, value in values.items()}


def ago(seconds: float) -> object:
    return pytest.approx(seconds, abs=60)


CODES = numbered(Code, 1_000)
REASONS = numbered(Reason, 2_000)
ROWS_OF = numbered(KINDS, 3_000)
PHASE_SECONDS = numbered(PHASES, 4_000)
TROUBLES, WAITING, RETRIES = (numbered(Failure, first) for first in (5_000, 5_100, 5_200))
WAYS = numbered(get_args(Way), 6_000)
OPEN_LETTERS = numbered(Reason, 7_000)


def commands() -> tuple[Values, Values]:
    named = {"applied": 11, "expired": 12, "parked": 13, "duplicate": 14}
    counts = Counter(
        named
        | ROWS_OF
        | {f"rejected: {code}": count for code, count in CODES.items()}
        | {f"dead letter: {reason}": count for reason, count in REASONS.items()}
    )
    consumer: Any = SimpleNamespace(counts=counts)
    rejected, letters = {Outcome.REJECTED: sum(CODES.values())}, {Outcome.DEAD_LETTERED: sum(REASONS.values())}
    expected = (
        as_read("squad_commands_total", named | rejected | letters)
        | as_read("squad_commands_rejected_total", CODES)
        | as_read("squad_dead_letters_total", REASONS)
        | as_read("squad_outbox_rows_total", ROWS_OF)
    )
    return shown(consuming.read_commands(consumer)), expected


def batches() -> tuple[Values, Values]:
    tally = Tally()
    tally.troubles.update({each: TROUBLES[each] for each in Failure})
    tally.waiting.update({each: WAITING[each] for each in Failure})
    tally.retries.update({each: RETRIES[each] for each in Failure})
    tally.fenced, tally.rivals, tally.bisections, tally.culprits = 21, 22, 23, 24
    consumer: Any = SimpleNamespace(in_flight={P3: 30, P5: 1}, tally=tally)
    processor: Any = SimpleNamespace(
        batch_seconds=spread(SECONDS, 1, 2),
        batch_records=spread(ROWS, 10, 20, 30),
        phase_seconds=Counter(PHASE_SECONDS),
    )
    expected = (
        as_read("squad_batch_phase_seconds_total", PHASE_SECONDS)
        | as_read("squad_troubles_total", TROUBLES)
        | as_read("squad_troubles", WAITING)
        | as_read("squad_retries_total", RETRIES)
        | {
            ("squad_batch_seconds",): (2, 3),
            ("squad_batch_records",): (3, 60),
            ("squad_records_in_flight",): 31,
            ("squad_fenced_batches_total",): 21,
            ("squad_rivals_total",): 22,
            ("squad_bisections_total",): 23,
            ("squad_culprits_total",): 24,
        }
    )
    return shown(consuming.read_batches(consumer, processor)), expected


def partitions() -> tuple[Values, Values]:
    source: Any = SimpleNamespace(
        is_member=True,
        generation=41,
        rebuilds=42,
        read_ahead=47,
        positions={P3: 43, P7: 44},
        lags={P3: 45, P7: 46},
        dealt=[P3, P5, P7],
        stops={P5: Stop("too many wait", 7, None, ["a squad"], datetime.now(UTC) - timedelta(hours=1))},
        paused={P7: "by an operator"},
    )
    expected: Values = {
        ("squad_group_member",): True,
        ("squad_group_assignments_total",): 41,
        ("squad_client_rebuilds_total",): 42,
        ("squad_records_read_ahead",): 47,
        ("squad_partition_position", "3"): 43,
        ("squad_partition_position", "7"): 44,
        ("squad_partition_lag_records", "3"): 45,
        ("squad_partition_lag_records", "7"): 46,
        ("squad_partition_stopped", "3"): False,
        ("squad_partition_stopped", "5"): True,
        ("squad_partition_stopped", "7"): False,
        ("squad_partition_stopped_seconds", "3"): 0,
        ("squad_partition_stopped_seconds", "5"): ago(3600),
        ("squad_partition_stopped_seconds", "7"): 0,
        ("squad_partition_awaits_room", "3"): False,
        ("squad_partition_awaits_room", "5"): True,
        ("squad_partition_awaits_room", "7"): False,
        ("squad_partition_paused", "3"): False,
        ("squad_partition_paused", "5"): False,
        ("squad_partition_paused", "7"): True,
    }
    return shown(consuming.read_partitions(source)), expected


def breaker() -> tuple[Values, Values]:
    flood: Any = SimpleNamespace(open_for={P3: "20 in a row", P5: "20 in a row"}, open_overall="100 in a row")
    return shown(consuming.read_breaker(flood)), {
        ("squad_breaker_open_partitions",): 2,
        ("squad_breaker_open",): True,
    }


def inbox() -> tuple[Values, Values]:
    now = datetime.now(UTC)
    standing = Standing(floor=now - timedelta(days=2), next_floor=now - timedelta(days=1), held_back="a group", now=now)
    pruner: Any = SimpleNamespace(pruned=51, standing=standing)
    return shown(consuming.read_inbox(pruner)), {
        ("squad_inbox_pruned_rows_total",): 51,
        ("squad_inbox_held_back",): True,
        ("squad_inbox_floor_age_seconds",): ago(172_800),
    }


def relays() -> tuple[Values, Values]:
    tally = relay_tally.Tally()
    tally.page_seconds, tally.page_rows = spread(SECONDS, 4, 5), spread(ROWS, 100_000, 200_000, 300_000)
    tally.refused.update({way: WAYS[way] for way in get_args(Way)})
    tally.withheld, tally.set_aside, tally.tried_again, tally.unknown = 61, 62, 63, 64
    tally.producers, tally.unavailable, tally.interruptions = 65, 66, 67
    places = {"1": {"a": {"rows_wait": True}, "b": {"rows_wait": True}, "c": {"rows_wait": False}}}
    led: Any = SimpleNamespace(epochs={1: 68, 4: 69}, leading=[1, 4], describe=lambda: places)
    expected = as_read("squad_relay_refused_rows_total", WAYS) | {
        ("squad_relay_published_rows_total",): 600_000 - sum(WAYS.values()) - 61 - 62 + 63,
        ("squad_relay_page_seconds",): (2, 9),
        ("squad_relay_page_rows",): (3, 600_000),
        ("squad_relay_withheld_rows_total",): 61,
        ("squad_relay_set_aside_rows_total",): 62,
        ("squad_relay_tried_again_rows_total",): 63,
        ("squad_relay_unknown_results_total",): 64,
        ("squad_relay_producers_total",): 65,
        ("squad_relay_kafka_unavailable",): 66,
        ("squad_relay_interruptions_total",): 67,
        ("squad_relay_places_lasting",): 2,
        ("squad_relay_leads", "1"): 1,
        ("squad_relay_leads", "4"): 1,
        ("squad_relay_epoch", "1"): 68,
        ("squad_relay_epoch", "4"): 69,
        ("squad_relay_paused", "1"): False,
        ("squad_relay_paused", "4"): True,
    }
    pauses = relaying.read_pauses(led, {1: None, 4: "by an operator"}.__getitem__)
    return shown([*relaying.read_relays(led, tally), *pauses]), expected


def retention() -> tuple[Values, Values]:
    kept: Any = SimpleNamespace(obstacles={"outbox_1": "a late writer", "outbox_2": "a late writer", "outbox_3": "x"})
    return shown(relaying.read_retention(kept)), {("squad_outbox_tables_held_back",): 3}


def pools() -> tuple[Values, Values]:
    uses = {name: PoolUse(10 * first + 3, 10 * first + 2, 10 * first + 1) for name, first in numbered(POOLS, 1).items()}
    databases: Any = {name: SimpleNamespace(pool_use=use) for name, use in uses.items()}
    expected = (
        as_read("squad_pool_connections", {name: use.size for name, use in uses.items()})
        | as_read("squad_pool_connections_in_use", {name: use.in_use for name, use in uses.items()})
        | as_read("squad_pool_waiting", {name: use.waiting for name, use in uses.items()})
    )
    return shown(read_pools(databases)), expected


def process() -> tuple[Values, Values]:
    ready = {part: (lambda: None) if part == "group" else (lambda: "not well") for part in PARTS}
    readings = [*read_process("relay", 81), *read_answer(monotonic() - 8_200), *read_readiness(ready)]
    return shown(readings), as_read("squad_ready", {part: int(part == "group") for part in PARTS}) | {
        ("squad_process_info", "relay"): 1,
        ("squad_process_start_time_seconds",): 81,
        ("squad_database_answer_age_seconds",): ago(8_200),
    }


def loop() -> tuple[Values, Values]:
    watch = LoopWatch()
    watch._due_at = monotonic() - 9_100
    watch.lag, watch.blocked = spread(SECONDS, 7, 8), 92
    return shown(watch.read()), {
        ("squad_event_loop_silent_seconds",): ago(9_100),
        ("squad_event_loop_lag_seconds",): (2, 15),
        ("squad_event_loop_blocked_total",): 92,
    }


READ = [commands, batches, partitions, breaker, inbox, relays, retention, pools, process, loop]


@pytest.mark.parametrize("read", READ, ids=lambda read: read.__name__)
def test_every_reading_is_of_the_attribute_that_its_name_says(read):
    found, expected = read()

    assert found == expected


async def look(monkeypatch: pytest.MonkeyPatch) -> tuple[Values, Values]:
    """Look at a database that answers these numbers."""

    async def fetch_unsettled(_: object) -> Unsettled:
        oldest_at = datetime.now(UTC) - timedelta(hours=10)
        return Unsettled(letters=OPEN_LETTERS, oldest_at=oldest_at, parked_streams=101, parked_records=102)

    async def fetch_waiting(_: object) -> list[Waiting]:
        return [
            Waiting(shard=2, age_seconds=111, held_rows=112, holds=113, waiting_rows=114),
            Waiting(shard=6, age_seconds=115, held_rows=116, holds=117, waiting_rows=118),
        ]

    monkeypatch.setattr(looking, "fetch_unsettled", fetch_unsettled)
    monkeypatch.setattr(status, "fetch_waiting", fetch_waiting)
    connection: Any = None
    looked = looking.Looking(database=connection, looks=[])
    looked._looked_at = monotonic() - 12_000
    readings = [
        *await looking.look_at_letters(connection),
        *await looking.look_at_outbox(connection),
        *looked.read(),
    ]
    return shown(readings), as_read("squad_dead_letters_open", OPEN_LETTERS) | {
        ("squad_dead_letters_oldest_age_seconds",): ago(36_000),
        ("squad_parked_streams",): 101,
        ("squad_parked_records",): 102,
        ("squad_outbox_oldest_age_seconds", "2"): 111,
        ("squad_outbox_held_rows", "2"): 112,
        ("squad_outbox_holds", "2"): 113,
        ("squad_outbox_waiting_rows", "2"): 114,
        ("squad_outbox_oldest_age_seconds", "6"): 115,
        ("squad_outbox_held_rows", "6"): 116,
        ("squad_outbox_holds", "6"): 117,
        ("squad_outbox_waiting_rows", "6"): 118,
        ("squad_database_look_age_seconds",): ago(12_000),
    }


async def test_what_the_database_answers_is_shown_under_its_own_name(monkeypatch):
    found, expected = await look(monkeypatch)

    assert found == expected


def test_what_is_closed_well_or_not_known_reads_so():
    calm: Any = SimpleNamespace(open_for={}, open_overall=None)
    now = datetime.now(UTC)
    floorless = Standing(floor=None, next_floor=None, held_back=None, now=now)
    unread: Any = SimpleNamespace(pruned=0, standing=None)
    low: Any = SimpleNamespace(pruned=0, standing=floorless)

    assert set(shown(consuming.read_breaker(calm)).values()) == {0}
    assert shown(consuming.read_inbox(unread)) == {("squad_inbox_pruned_rows_total",): 0}
    assert shown(consuming.read_inbox(low)) == {
        ("squad_inbox_pruned_rows_total",): 0,
        ("squad_inbox_held_back",): False,
    }
    assert shown(read_answer(None)) == {}


async def test_whole_list_has_values_here_label_by_label(monkeypatch):
    expected = (await look(monkeypatch))[1]
    for read in READ:
        expected |= read()[1]

    for name, metric in METRICS.items():
        labels = {given[1:] for given in expected if given[0] == name}
        assert labels, f"no test says what {name} has to be"
        assert {len(each) for each in labels} == {len(metric.labels)}, name
        for closed in metric.labels.values():
            values = {value for each in labels for value in each}
            assert closed is NUMBERS or values == {*closed} or name == "squad_process_info", name
    assert {name for name, *_ in expected} == METRICS.keys()
