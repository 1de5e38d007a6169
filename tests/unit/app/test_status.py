"""What `squad status` makes of what it was told."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.status.picture import Gathered, describe_partitions, describe_process, describe_shards
from app.status.shown import describe, find_attention
from consumers.checkpoints import Checkpoint
from consumers.records import Partition
from consumers.unsettled import Unsettled
from db.controls import Control
from db.processes import Described
from outbox.status import ShardStatus
from tests.making import NOON, TOPIC

P0, P1, P2, P10 = (Partition(TOPIC, number) for number in (0, 1, 2, 10))


def process(kind: str = "consumer", *, pid: int = 7, age_seconds: float = 1, **state: Any) -> Described:
    known = {"group": "tests", "version": "0.1.0"} | state
    return Described(kind=kind, host="here", pid=pid, started_at=NOON, age_seconds=age_seconds, state=known)


def consumer(*partitions: Partition, **state: Any) -> Described:
    positions = {str(each): 10 for each in partitions}
    return process(positions=positions, **state)


def paused(target: str) -> Control:
    return Control(target=target, action="pause", actor="ada@here", reason="a test", at=NOON)


def shard(**fields: Any) -> ShardStatus:
    given: dict[str, Any] = {
        "shard": 0,
        "slot_from": 0,
        "slot_to": 1023,
        "holder": "here:8:x",
        "lease_epoch": 1,
        "expires_at": NOON,
        "epoch": 1,
        "previous": "3:3:",
        "current": None,
        "position": 0,
        "high": None,
        "backlog_rows": 0,
        "age_seconds": None,
        "held_rows": 0,
        "holds": 0,
        "waiting_rows": 0,
        "awaited": [],
        "refusal": None,
    }
    return ShardStatus(**given | fields)


WELL = Gathered(
    at=datetime(2026, 5, 4, 12, tzinfo=UTC),
    group="tests",
    topic=TOPIC,
    processes=[consumer(P0, P1), process("relay", pid=8, leads=[0])],
    controls=[],
    checkpoints={P0: Checkpoint(next_offset=10), P1: Checkpoint(next_offset=7)},
    log_ends={P0: 10, P1: 12},
    kafka_error=None,
    shards=[shard()],
    unsettled=Unsettled(letters={}, oldest_at=None, parked_streams=0, parked_records=0),
)


def states(gathered: Gathered) -> dict[str, tuple[str, int | None]]:
    return {each["partition"]: (each["state"], each["lag"]) for each in describe_partitions(gathered)}


def test_service_that_is_well_wants_no_attention():
    assert list(find_attention(WELL)) == []
    assert states(WELL) == {"squad.commands[0]": ("read", 0), "squad.commands[1]": ("read", 5)}


def test_partition_says_what_keeps_it_from_being_read():
    stopped = {str(P1): "the record at offset 7 cannot be applied"}
    gathered = replace(
        WELL,
        processes=[consumer(P0, stopped=stopped, stopped_since={str(P1): "noon"}, paused={str(P2): "by ada"})],
        controls=[paused(str(P2)), paused(str(P0))],
        checkpoints={each: Checkpoint(next_offset=3) for each in (P0, P1, P2, P10)},
        log_ends=dict.fromkeys((P0, P1, P2, P10), 5),
    )

    assert [(each["partition"], each["state"]) for each in describe_partitions(gathered)] == [
        ("squad.commands[0]", "pausing"),
        ("squad.commands[1]", "stopped"),
        ("squad.commands[2]", "paused"),
        ("squad.commands[10]", "nobody"),
    ], "by number"
    wants = "\n".join(find_attention(gathered))
    assert "squad.commands[1] stopped since noon: the record at offset 7 cannot be applied" in wants
    assert "squad.commands[2] paused by ada@here at" in wants
    assert wants.count("squad.commands[2]") == 1, "it is named once"
    assert "squad.commands[10] nobody: no consumer has it" in wants


def test_partition_that_another_consumer_reads_is_not_stopped_for_one_that_lost_it():
    gathered = replace(WELL, processes=[consumer(P0, P1), consumer(stopped={str(P1): "long ago"})])

    assert states(gathered)["squad.commands[1]"][0] == "read"


def test_pause_does_not_hide_that_a_partition_is_stopped():
    gathered = replace(
        WELL, processes=[consumer(P0, stopped={str(P1): "why"})], controls=[paused("consumer"), paused(str(P1))]
    )
    [_, second] = describe_partitions(gathered)

    assert second["state"] == "stopped"
    assert second["why"].startswith("why; and consumer paused by ada@here")


def test_without_kafka_the_consumers_own_lag_is_shown_and_it_is_said():
    gathered = replace(
        WELL,
        log_ends=None,
        kafka_error="no broker",
        processes=[consumer(P0, P1, lag={str(P0): 4}, in_flight={str(P0): 2})],
    )

    assert states(gathered) == {"squad.commands[0]": ("read", 4), "squad.commands[1]": ("read", None)}
    assert describe_partitions(gathered)[0]["in_flight"] == 2
    assert "no broker" in next(find_attention(gathered))
    assert describe(gathered)["kafka"] == {"reachable": False, "error": "no broker"}


def test_silent_process_reads_nothing():
    gathered = replace(WELL, processes=[replace(each, age_seconds=60) for each in WELL.processes])

    assert describe_process(gathered.processes[0])["state"] == "silent"
    assert states(gathered)["squad.commands[0]"][0] == "nobody"
    assert list(find_attention(gathered))[:2] == [
        "consumer here:7 fell silent 60 s ago",
        "relay here:8 fell silent 60 s ago",
    ]


def test_process_shows_what_it_waits_for_and_the_latest_error():
    shown = describe_process(
        process(
            "all",
            positions={str(P0): 1},
            in_flight={str(P0): 3},
            leads=[0],
            waits_for={"transient": 2},
            waits_for_kafka=1,
            consumer_error={"at": "2026-05-04T12:00:01+00:00", "said": "later"},
            relay_error={"at": "2026-05-04T12:00:00+00:00", "said": "sooner"},
        )
    )

    assert (shown["partitions"], shown["in_flight"], shown["leads"], shown["version"]) == (1, 3, [0], "0.1.0")
    assert shown["waits_for"] == "2 batches, transient; 1 shards, Kafka"
    assert shown["last_error"]["said"] == "later"


def test_breaker_is_shown():
    def breaker(overall: str | None, **whys: str) -> Described:
        return process(breaker={"open": whys, "overall": overall, "in_a_row": {}})

    shown = [
        describe_process(each)["breaker"] for each in (process(), breaker(None), breaker(None, a="w"), breaker("w"))
    ]
    assert shown == [None, "closed", "open for 1", "open"]
    assert list(find_attention(replace(WELL, processes=[*WELL.processes, breaker("why")]))) == [
        "consumer here:7: the breaker is open for all its partitions: why"
    ]


def test_process_of_an_earlier_release_is_shown_with_what_it_tells():
    bare = Described(kind="consumer", host="here", pid=1, started_at=NOON, age_seconds=1, state={})

    assert describe_process(bare)["version"] is None


def test_shard_says_why_nothing_is_published():
    several = [
        shard(shard=0, refusal="restored", holder=None),
        shard(shard=1, backlog_rows=3, age_seconds=4.26),
        shard(shard=2, holder=None),
        shard(shard=3, held_rows=5, holds=2, waiting_rows=3, awaited=["squad.events[1]"]),
    ]
    gathered = replace(WELL, shards=several, controls=[paused("relay-1")])

    assert [(each["state"], each["oldest_seconds"]) for each in describe_shards(gathered)] == [
        ("refuses", None),
        ("paused", 4.3),
        ("nobody", None),
        ("led", None),
    ]
    assert list(find_attention(gathered)) == [
        "shard 0 refuses: restored",
        "shard 1 paused: relay-1 paused by ada@here at 2026-05-04T12:00:00+00:00: a test",
        "shard 2 nobody: no relay has its lease",
        "shard 3: 3 rows wait for squad.events[1]",
        "shard 3 holds 2 rows: `squad holds list`",
    ]


def test_what_waits_for_an_operator_is_counted():
    unsettled = Unsettled(letters={"invalid-data": 2}, oldest_at=NOON, parked_streams=1, parked_records=4)

    assert list(find_attention(replace(WELL, unsettled=unsettled))) == [
        "open dead letters: 2 invalid-data; `squad dead-letters groups` says why",
        "records parked behind dead letters, in so many streams: 4 in 1; `squad parked list` says which",
    ]
