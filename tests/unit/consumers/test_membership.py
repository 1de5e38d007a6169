"""What the client is told: none of its defaults that lose records, and no event loop but the standard one."""

from pathlib import Path

from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from consumers.membership import Membership


def test_everything_that_could_lose_records_is_set_by_hand():
    assert Membership().arguments("group") == {
        "group_id": "group",
        "group_instance_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "partition_assignment_strategy": (RoundRobinPartitionAssignor,),
        "session_timeout_ms": 45_000,
        "heartbeat_interval_ms": 5_000,
        "rebalance_timeout_ms": 20_000,
        "request_timeout_ms": 30_000,
        "max_poll_interval_ms": 2**31 - 1,
        "metadata_max_age_ms": 60_000,
        "fetch_max_bytes": 50 * 2**20,
        "max_partition_fetch_bytes": 2**20,
        "fetch_max_wait_ms": 100,
    }


def test_nothing_brings_another_event_loop():
    """Under uvloop a closed transport raises a plain RuntimeError, which ends the client's coordinator for good."""
    requirements = Path(__file__).parents[3] / "requirements"

    assert "uvloop" not in "".join(path.read_text() for path in requirements.glob("*.txt"))
