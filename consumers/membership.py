"""How we are a member of the consumer group: every value set by hand, because the client's defaults lose records."""

from dataclasses import dataclass
from typing import Any, Final

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

NEVER_MILLISECONDS: Final = 2_147_483_647
"""For the client's limit between polls: a batch may wait for the database as long as it takes, and keeps its place in
the group. Progress is watched by ourselves; zombies are fenced by the checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What a member of the group agrees with its coordinator, and how it fetches.

    Args:
        session_seconds: after which a silent member's partitions go to others.
        heartbeat_seconds: between signs of life; at most a third of the session.
        rebalance_seconds: how long the group waits for a member to join again.
        request_seconds: how long any request may take; joining waits for the slowest member, so it must be longer than
            a rebalance by some seconds.
        metadata_max_age_seconds: how long it may go unnoticed that partitions were added.
        fetch_max_bytes, partition_fetch_max_bytes: of an answer, and of one partition in it, compressed as they travel.
    """

    session_seconds: float = 45
    heartbeat_seconds: float = 5
    rebalance_seconds: float = 20
    request_seconds: float = 30
    metadata_max_age_seconds: float = 60
    fetch_max_bytes: int = 52_428_800
    partition_fetch_max_bytes: int = 1_048_576

    def arguments(self, group: str) -> dict[str, Any]:
        """Give the client's arguments."""
        return {
            "group_id": group,
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
