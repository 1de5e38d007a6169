"""The lines that `squad status` shows, put together from what was gathered: plain values, without waiting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from consumers.checkpoints import Checkpoint
from consumers.records import Partition
from consumers.unsettled import Unsettled
from db.controls import Control, Pauses
from db.processes import Described
from outbox.status import ShardStatus

SILENT_SECONDS: Final = 15
"""A process that described itself longer ago than this is taken for dead or cut off."""

_CONSUMES: Final = ("consumer", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What the tables and the brokers say.

    Args:
        at: when, by the database's clock.
        group, topic: whose commands.
        processes: all that described themselves in the last hour.
        controls: what is asked of them.
        checkpoints: of the group, by partition.
        log_ends: the offset behind each partition's last record; `None`: Kafka did not tell.
        kafka_error: why it did not.
        shards: of the outbox.
        unsettled: dead letters, and what waits behind them.
    """

    at: datetime
    group: str
    topic: str
    processes: Sequence[Described]
    controls: Sequence[Control]
    checkpoints: Mapping[Partition, Checkpoint]
    log_ends: Mapping[Partition, int] | None
    kafka_error: str | None
    shards: Sequence[ShardStatus]
    unsettled: Unsettled

    @property
    def pauses(self) -> Pauses:
        """What is paused."""
        return Pauses.among(self.controls)

    @property
    def living(self) -> Sequence[Described]:
        """The processes that described themselves lately."""
        return [each for each in self.processes if each.age_seconds <= SILENT_SECONDS]

    @property
    def consumers(self) -> Sequence[Described]:
        """Those of them that read this group's commands."""
        return [each for each in self.living if each.kind in _CONSUMES and each.state.get("group") == self.group]


def describe_process(process: Described) -> dict[str, Any]:
    """Give a process's line."""
    state = process.state
    errors = [state[name] for name in ("consumer_error", "relay_error") if state.get(name)]
    last = max(errors, key=lambda error: str(error["at"]), default=None)
    return {
        "kind": process.kind,
        "host": process.host,
        "pid": process.pid,
        "version": state.get("version"),
        "started_at": process.started_at.isoformat(timespec="seconds"),
        "age_seconds": max(0.0, round(process.age_seconds, 1)),
        "state": "silent" if process.age_seconds > SILENT_SECONDS else "alive",
        "partitions": len(state.get("positions", {})) if "positions" in state else None,
        "in_flight": sum(state.get("in_flight", {}).values()) if "in_flight" in state else None,
        "leads": state.get("leads"),
        "breaker": breaker_of(state),
        "waits_for": waits_for(state),
        "last_error": last,
    }


def describe_partitions(gathered: Gathered) -> list[dict[str, Any]]:
    """Give the partitions' lines."""
    logs = gathered.log_ends or {}
    shown = {name for each in gathered.consumers for name in (*each.state.get("positions", {}), *_whys(each, "paused"))}
    every = {str(each): each for each in {*gathered.checkpoints, *logs}}
    return [_describe_partition(gathered, name, every.get(name)) for name in sorted(shown | every.keys(), key=_order)]


def _describe_partition(gathered: Gathered, name: str, partition: Partition | None) -> dict[str, Any]:
    reader = next((each for each in gathered.consumers if name in each.state.get("positions", {})), None)
    checkpoint = None if partition is None else gathered.checkpoints.get(partition)
    end = None if partition is None else (gathered.log_ends or {}).get(partition)
    state, why = _state_of(gathered, name, reader)
    if end is not None:
        lag = None if checkpoint is None else max(0, end - checkpoint.next_offset)
    else:
        lag = None if reader is None else reader.state.get("lag", {}).get(name)
    return {
        "partition": name,
        "state": state,
        "reader": None if reader is None else f"{reader.host}:{reader.pid}",
        "checkpoint": None if checkpoint is None else checkpoint.next_offset,
        "log_end": end,
        "lag": lag,
        "in_flight": 0 if reader is None else reader.state.get("in_flight", {}).get(name, 0),
        "why": why,
        "since": _since(gathered, name) if state == "stopped" else None,
    }


def _since(gathered: Gathered, name: str) -> str | None:
    """Say since when a partition is stopped; an earlier release does not tell."""
    return next((sinces[name] for each in gathered.consumers if name in (sinces := _whys(each, "stopped_since"))), None)


def _state_of(gathered: Gathered, name: str, reader: Described | None) -> tuple[str, str | None]:
    """Say what becomes of a partition; one that is paused and stopped is stopped once it is resumed."""
    stops = {key: why for each in gathered.consumers for key, why in _whys(each, "stopped").items()}
    paused = gathered.pauses.why("consumer", name)
    if reader is None and name in stops:
        return "stopped", stops[name] if paused is None else f"{stops[name]}; and {paused}"
    if paused is not None:
        # Who reads has not seen the pause yet.
        return ("pausing" if reader is not None else "paused"), paused
    if reader is not None:
        return "read", None
    return "nobody", "no consumer has it at the moment" if gathered.consumers else "no consumer runs"


def describe_shards(gathered: Gathered) -> list[dict[str, Any]]:
    """Give the shards' lines."""
    return [
        {
            "shard": each.shard,
            "state": _shard_state(gathered, each),
            "holder": each.holder,
            "epoch": each.epoch,
            "lease_until": None if each.expires_at is None else each.expires_at.isoformat(timespec="seconds"),
            "backlog_rows": each.backlog_rows,
            "oldest_seconds": None if each.age_seconds is None else round(each.age_seconds, 1),
            "held_rows": each.held_rows,
            "holds": each.holds,
            "waiting_rows": each.waiting_rows,
            "awaited": each.awaited,
            "why": each.refusal or gathered.pauses.why("relay", f"relay-{each.shard}"),
        }
        for each in gathered.shards
    ]


def _shard_state(gathered: Gathered, shard: ShardStatus) -> str:
    if shard.refusal is not None:
        return "refuses"
    if gathered.pauses.why("relay", f"relay-{shard.shard}") is not None:
        return "paused"
    return "nobody" if shard.holder is None else "led"


def breaker_of(state: Mapping[str, Any]) -> str | None:
    """Say how a consumer's breaker stands."""
    breaker = state.get("breaker")
    if breaker is None:
        return None
    if breaker["overall"]:
        return "open"
    return f"open for {len(breaker['open'])}" if breaker["open"] else "closed"


def waits_for(state: Mapping[str, Any]) -> str | None:
    """Say what a process waits for by its state, if anything."""
    waits = [f"{count} batches, {failure}" for failure, count in state.get("waits_for", {}).items()]
    if state.get("waits_for_kafka"):
        waits.append(f"{state['waits_for_kafka']} shards, Kafka")
    return "; ".join(waits) or None


def _whys(process: Described, subject: str) -> dict[str, str]:
    return dict(process.state.get(subject) or {})


def _order(name: str) -> tuple[str, int]:
    topic, _, number = name.rstrip("]").rpartition("[")
    return topic, int(number)
