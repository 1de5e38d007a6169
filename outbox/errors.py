"""Why a relay stops."""


class RefusedRowError(Exception):
    """Kafka will never take this row; the relay stops at it, and nothing passes it.

    Attributes:
        position, topic, key: which row.
        reason: what Kafka, or the size check before it, said.
    """

    def __init__(self, *, position: int, topic: str, key: bytes | None, reason: str) -> None:
        self.position = position
        self.topic = topic
        self.key = key
        self.reason = reason
        super().__init__(
            f"Kafka refuses the outbox row at position {position} (topic {topic}, key {_shown(key)}): {reason}"
        )


def _shown(key: bytes | None) -> str:
    """Keys of dead letters are whatever somebody sent."""
    return "none" if key is None else repr(key[:64]) + ("…" if len(key) > 64 else "")


class LeaseLostError(Exception):
    """Another process leads, or may lead by now: whoever meets this stops publishing."""

    def __init__(self, name: str, epoch: int) -> None:
        super().__init__(f"the lease {name} of epoch {epoch} is lost")


class InRecoveryError(Exception):
    """The server is a standby; its snapshots have no list of running transactions, so they cannot delimit windows."""

    def __init__(self) -> None:
        super().__init__("the relay needs the primary, and this server is in recovery")


class MissingCursorError(Exception):
    """The shard has no row in `relay_cursors`."""

    def __init__(self, shard: int) -> None:
        super().__init__(f"relay_cursors has no row for shard {shard}: run the migrations")


class WrongClusterError(Exception):
    """The cursor belongs to another cluster, database or outbox table: its transaction ids mean nothing here."""

    def __init__(self, *, shard: int, stored: tuple[int, int, int], found: tuple[int, int, int]) -> None:
        names = ("system identifier", "database oid", "outbox oid")
        differences = ", ".join(
            f"{name} {was} is now {now}" for name, was, now in zip(names, stored, found, strict=True) if was != now
        )
        super().__init__(
            f"the cursor of shard {shard} belongs to another place, so nothing is published: {differences}"
        )
