"""All that `squad status` shows, with what wants somebody's attention in front."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from app.status.picture import (
    SILENT_SECONDS,
    Gathered,
    describe_partitions,
    describe_process,
    describe_shards,
    waits_for,
)


def describe(gathered: Gathered) -> dict[str, Any]:
    """Give everything as JSON has it."""
    return {
        "at": gathered.at.isoformat(timespec="seconds"),
        "attention": list(find_attention(gathered)),
        "kafka": {"reachable": gathered.kafka_error is None, "error": gathered.kafka_error},
        "group": gathered.group,
        "topic": gathered.topic,
        "processes": [describe_process(each) for each in gathered.processes],
        "partitions": describe_partitions(gathered),
        "shards": describe_shards(gathered),
        "dead_letters": {
            "open": dict(gathered.unsettled.letters),
            "oldest_at": _iso(gathered.unsettled.oldest_at),
        },
        "parked": {"streams": gathered.unsettled.parked_streams, "records": gathered.unsettled.parked_records},
        "controls": [asdict(each) | {"at": _iso(each.at)} for each in gathered.controls],
    }


def find_attention(gathered: Gathered) -> Iterator[str]:
    """Say in lines what somebody should look at, if anything."""
    if gathered.kafka_error is not None:
        yield f"Kafka did not answer, so lags are what consumers said last: {gathered.kafka_error}"
    for each in gathered.processes:
        if each.age_seconds > SILENT_SECONDS:
            yield f"{each.kind} {each.host}:{each.pid} fell silent {each.age_seconds:.0f} s ago"
    for each in gathered.living:
        if waits := waits_for(each.state):
            yield f"{each.kind} {each.host}:{each.pid} waits: {waits}"
        if why := (each.state.get("breaker") or {}).get("overall"):
            yield f"{each.kind} {each.host}:{each.pid}: the breaker is open for all its partitions: {why}"
    for partition in describe_partitions(gathered):
        if partition["state"] != "read":
            # A pause says itself what is paused.
            begin = f"{partition['partition']} {partition['state']}"
            since = f" since {partition['since']}" if partition["since"] else ""
            yield partition["why"] if partition["why"].startswith(begin) else f"{begin}{since}: {partition['why']}"
    for shard in describe_shards(gathered):
        if shard["state"] != "led":
            yield f"shard {shard['shard']} {shard['state']}: {shard['why'] or 'no relay has its lease'}"
        if shard["waiting_rows"]:
            yield f"shard {shard['shard']}: {shard['waiting_rows']} rows wait for {', '.join(shard['awaited'])}"
        if held := shard["held_rows"] - shard["waiting_rows"]:
            yield f"shard {shard['shard']} holds {held} rows: `squad holds list`"
    if gathered.unsettled.letters:
        counts = ", ".join(f"{count} {reason}" for reason, count in gathered.unsettled.letters.items())
        yield f"open dead letters: {counts}; `squad dead-letters groups` says why"
    if gathered.unsettled.parked_streams:
        parked = f"{gathered.unsettled.parked_records} in {gathered.unsettled.parked_streams}"
        yield f"records parked behind dead letters, in so many streams: {parked}; `squad parked list` says which"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
