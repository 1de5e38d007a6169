"""How we are a member of the consumer group: every value set by hand, because the client's defaults lose records."""

from dataclasses import dataclass
from typing import Any, Final

from aiokafka import errors
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

NEVER_MILLISECONDS: Final = 2_147_483_647
"""For the client's limit between polls: a batch may wait for the database as long as it takes, and keeps its place in
the group. Progress is watched by ourselves; zombies are fenced by the checkpoint."""


class FencedInstanceIdError(errors.BrokerResponseError):  # type: ignore[misc] # aiokafka has no types
    """Another has joined as the same static member (KIP-345)."""

    errno = 82
    message = "FENCED_INSTANCE_ID"
    description = "The broker rejected this static consumer since another consumer has registered with its id."


# aiokafka 0.14 does not know this error, and would call it unknown.
errors.kafka_errors.setdefault(FencedInstanceIdError.errno, FencedInstanceIdError)


class FencedMemberError(RuntimeError):
    """Another process has joined the group as the static member that we are."""


def raise_fenced(error: Exception) -> None:
    """Raise if an error of the client, which wraps those that it does not expect, is that we are fenced.

    Raises:
        FencedMemberError: it is; joining again would fence the other one, which would join again.
    """
    if FencedInstanceIdError.__name__ in f"{type(error).__name__}{error}":
        raise FencedMemberError(
            "another process has joined the group as the same static member, and this one is out: give each process a"
            " name of its own in SQUAD_CONSUMER_INSTANCE"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What a member of the group agrees with its coordinator, and how it fetches.

    Args:
        session_seconds: after which a silent member's partitions go to others.
        heartbeat_seconds: between signs of life; at most a third of the session.
        rebalance_seconds: how long the group waits for a member to join again.
        request_seconds: how long any request may take; joining waits for the slowest member, so it must be longer than
            a rebalance by some seconds.
        finish_seconds: how long the group is held up for batches under way whose partitions are taken away; at most
            half of the time that the group waits for us.
        instance: the id of a static member, whose place is kept while it restarts; none: it is a new one each time.
        metadata_max_age_seconds: how long it may go unnoticed that partitions were added.
        fetch_max_bytes, partition_fetch_max_bytes: of an answer, and of one partition in it, compressed as they travel.
    """

    session_seconds: float = 45
    heartbeat_seconds: float = 5
    rebalance_seconds: float = 20
    request_seconds: float = 30
    finish_seconds: float = 2
    instance: str | None = None
    metadata_max_age_seconds: float = 60
    fetch_max_bytes: int = 52_428_800
    partition_fetch_max_bytes: int = 1_048_576

    @property
    def budget_seconds(self) -> float:
        """How long batches under way have to finish when partitions are taken away."""
        return min(self.finish_seconds, self.rebalance_seconds / 2)

    def arguments(self, group: str) -> dict[str, Any]:
        """Give the client's arguments."""
        return {
            "group_id": group,
            "group_instance_id": self.instance,
            "enable_auto_commit": False,
            # The checkpoints decide; a place nobody decided on is an error.
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",
            # One strategy: the client would ask the group to wait once for each.
            "partition_assignment_strategy": (RoundRobinPartitionAssignor,),
            "session_timeout_ms": _milliseconds(self.session_seconds),
            "heartbeat_interval_ms": _milliseconds(self.heartbeat_seconds),
            "rebalance_timeout_ms": _milliseconds(self.rebalance_seconds),
            "request_timeout_ms": _milliseconds(self.request_seconds),
            "max_poll_interval_ms": NEVER_MILLISECONDS,
            "metadata_max_age_ms": _milliseconds(self.metadata_max_age_seconds),
            "fetch_max_bytes": self.fetch_max_bytes,
            "max_partition_fetch_bytes": self.partition_fetch_max_bytes,
            # One request per broker is under way at a time, and a partition drained meanwhile waits for its end.
            "fetch_max_wait_ms": 100,
        }


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
