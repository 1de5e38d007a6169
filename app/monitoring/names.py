"""The closed list of metrics: every name, with its labels and what it says. What is not here is not exported.

Names follow Prometheus' conventions (https://prometheus.io/docs/practices/naming/): base units; counters end in
`_total`. A label's values are a closed list, or small numbers; never ids or keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from db.errors import Failure
from domain.rejections import Code
from messages.outcome import Outcome
from messages.refusals import Reason
from outbox.refused import Way

MetricKind = Literal["counter", "gauge", "histogram"]
Subject = Literal["process", "consumer", "relay"]
"""Which processes export it: all, those that consume, those that relay; `squad run` does both."""

KINDS: Final = ("consumer", "relay", "all", "api")
"""The kinds of processes."""

POOLS: Final = ("lanes", "relay", "upkeep", "heartbeat", "monitoring", "sessions", "outcomes")
"""The pools of connections that a process has; the last two are those of `squad api`."""

PARTS: Final = ("process", "event loop", "database", "group", "client", "breaker", "relay")
"""What has to be well for a process to be ready."""

PHASES: Final = (
    "decode",
    "checkpoint and known ids",
    "load",
    "decide and encode",
    "sweep",
    "inbox",
    "state",
    "outbox",
    "advance",
    "commit",
)
"""The phases of a batch, in their order."""

NUMBERS: Final[Sequence[str]] = ()
"""In place of a label's values: they are numbers, of a partition or a shard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Args:
        name: as Prometheus has it.
        kind: what it is.
        of: which processes export it.
        says: what it says, in one line.
        labels: names, with all values that each can have, or `NUMBERS`.
    """

    name: str
    kind: MetricKind
    of: Subject
    says: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)


def _counter(name: str, of: Subject, says: str, **labels: Sequence[str]) -> Metric:
    return Metric(name=name, kind="counter", of=of, says=says, labels=labels)


def _gauge(name: str, of: Subject, says: str, **labels: Sequence[str]) -> Metric:
    return Metric(name=name, kind="gauge", of=of, says=says, labels=labels)


def _histogram(name: str, of: Subject, says: str) -> Metric:
    return Metric(name=name, kind="histogram", of=of, says=says)


_METRICS: Final = (
    # Every process
    _gauge("squad_process_info", "process", "1; which kind of process this is.", kind=KINDS),
    _gauge("squad_process_start_time_seconds", "process", "When the process began, since 1970, UTC."),
    _gauge("squad_ready", "process", "Whether a part is well, as `/readyz` says it.", part=PARTS),
    _gauge("squad_event_loop_silent_seconds", "process", "For how long the event loop has been due to wake."),
    _histogram("squad_event_loop_lag_seconds", "process", "How late the event loop woke."),
    _counter("squad_event_loop_blocked_total", "process", "How often it was later than the limit."),
    _gauge("squad_database_answer_age_seconds", "process", "Since the database last answered the process's heartbeat."),
    _gauge("squad_database_look_age_seconds", "process", "Since the database was last asked for what stands there."),
    _gauge("squad_pool_connections", "process", "Connections that a pool may have.", pool=POOLS),
    _gauge("squad_pool_connections_in_use", "process", "Connections that somebody has.", pool=POOLS),
    _gauge("squad_pool_waiting", "process", "Who waits for a connection because all are in use.", pool=POOLS),
    # Commands
    _counter(
        "squad_commands_total",
        "consumer",
        "Records decided, by what became of them.",
        outcome=(*(each.value for each in Outcome), "duplicate"),
    ),
    _counter("squad_commands_rejected_total", "consumer", "Commands that a rule refused.", code=tuple(Code)),
    _counter(
        "squad_dead_letters_total",
        "consumer",
        "Records nobody could apply; those that an operator stepped over (`unfetchable`) are only in the gauge.",
        reason=tuple(Reason),
    ),
    _counter(
        "squad_outbox_rows_total",
        "consumer",
        "Messages written to the outbox, but for dead letters.",
        kind=("event", "outcome", "reply"),
    ),
    # Batches
    _histogram("squad_batch_seconds", "consumer", "How long a batch took that was committed."),
    _histogram("squad_batch_records", "consumer", "How many records it had."),
    _gauge("squad_records_in_flight", "consumer", "Records of the batches under way."),
    _counter("squad_batch_phase_seconds_total", "consumer", "What batches spent their time with.", phase=PHASES),
    _counter(
        "squad_troubles_total",
        "consumer",
        "How often a batch began to fail in a way that is waited out; once for each such state.",
        failure=tuple(Failure),
    ),
    _gauge("squad_troubles", "consumer", "Batches that wait for such a state to end.", failure=tuple(Failure)),
    _counter(
        "squad_retries_total",
        "consumer",
        "How often a batch was tried again; once for each attempt, so it rises all through such a state.",
        failure=tuple(Failure),
    ),
    _counter("squad_fenced_batches_total", "consumer", "Batches dropped: their partition had gone on elsewhere."),
    _counter("squad_rivals_total", "consumer", "Batches decided again: another consumer was faster."),
    _counter("squad_bisections_total", "consumer", "Batches cut in two to find a record that fails."),
    _counter("squad_culprits_total", "consumer", "Records that fail alone, too."),
    # Partitions
    _gauge("squad_group_member", "consumer", "Whether the group has dealt its partitions to us, be it none."),
    _counter("squad_group_assignments_total", "consumer", "How often partitions were dealt or taken back."),
    _counter("squad_client_rebuilds_total", "consumer", "Kafka clients replaced because they stood still."),
    _gauge(
        "squad_records_read_ahead", "consumer", "Records read that are in no batch yet; below three batches a lane."
    ),
    _gauge("squad_partition_position", "consumer", "The offset that the next batch begins with.", partition=NUMBERS),
    _gauge(
        "squad_partition_lag_records", "consumer", "Offsets of the log that are in no batch yet.", partition=NUMBERS
    ),
    _gauge("squad_partition_stopped", "consumer", "1: the partition is stopped.", partition=NUMBERS),
    _gauge("squad_partition_stopped_seconds", "consumer", "For how long; 0: it is not.", partition=NUMBERS),
    _gauge(
        "squad_partition_awaits_room",
        "consumer",
        "1: it is stopped because too many commands are parked, and goes on by itself.",
        partition=NUMBERS,
    ),
    _gauge("squad_partition_paused", "consumer", "1: an operator paused the partition.", partition=NUMBERS),
    # The inbox and the dead letters
    _gauge("squad_breaker_open_partitions", "consumer", "Partitions that too many dead letters have stopped."),
    _gauge("squad_breaker_open", "consumer", "1: there are too many in all; the next one of any partition stops it."),
    _gauge("squad_inbox_floor_age_seconds", "consumer", "How far the inbox's floor is in the past."),
    _gauge("squad_inbox_held_back", "consumer", "1: something keeps the floor lower than the days to keep."),
    _counter("squad_inbox_pruned_rows_total", "consumer", "Decided commands that this process forgot."),
    _gauge(
        "squad_dead_letters_open",
        "consumer",
        "Dead letters nobody has settled; this and the next two are counted to 100,000.",
        reason=tuple(Reason),
    ),
    _gauge("squad_parked_streams", "consumer", "Streams that wait behind a dead letter."),
    _gauge("squad_parked_records", "consumer", "Records that wait in them; one of two streams counts twice."),
    _gauge("squad_dead_letters_oldest_age_seconds", "consumer", "Since the first of them; 0: there is none."),
    # The relay
    _counter("squad_relay_published_rows_total", "relay", "Rows of the outbox that Kafka has."),
    _histogram("squad_relay_page_seconds", "relay", "How long a page took, to its stored cursor."),
    _histogram("squad_relay_page_rows", "relay", "How many rows it had."),
    _counter(
        "squad_relay_refused_rows_total", "relay", "Rows that Kafka refused, by what was done.", policy=get_args(Way)
    ),
    _counter("squad_relay_withheld_rows_total", "relay", "Rows that began to wait behind a refused one."),
    _counter("squad_relay_set_aside_rows_total", "relay", "Rows that waited for a topic that took nothing."),
    _counter("squad_relay_tried_again_rows_total", "relay", "How many of them wait no longer."),
    _counter("squad_relay_unknown_results_total", "relay", "Batches and records sent again: nobody knew of them."),
    _counter("squad_relay_producers_total", "relay", "Kafka producers opened."),
    _gauge("squad_relay_kafka_unavailable", "relay", "Shards whose rows wait for Kafka."),
    _gauge("squad_relay_places_lasting", "relay", "Topics and partitions that take nothing, by the relay's shards."),
    _counter("squad_relay_interruptions_total", "relay", "How often a relay lost the database."),
    _gauge("squad_relay_leads", "relay", "1: this process leads the shard.", shard=NUMBERS),
    _gauge("squad_relay_paused", "relay", "1: an operator paused the shard.", shard=NUMBERS),
    _gauge("squad_relay_epoch", "relay", "Which taking of the shard's lease that is.", shard=NUMBERS),
    # The outbox
    _gauge("squad_outbox_oldest_age_seconds", "relay", "How long the oldest row waits; 0: none does.", shard=NUMBERS),
    _gauge("squad_outbox_held_rows", "relay", "Rows that wait aside.", shard=NUMBERS),
    _gauge("squad_outbox_holds", "relay", "Topics and keys that they are of.", shard=NUMBERS),
    _gauge(
        "squad_outbox_waiting_rows", "relay", "How many of them go on by themselves, once Kafka can.", shard=NUMBERS
    ),
    _gauge("squad_outbox_tables_held_back", "relay", "Old tables of the outbox that something keeps."),
)

METRICS: Final[Mapping[str, Metric]] = {each.name: each for each in _METRICS}
"""Every metric, by its name."""
