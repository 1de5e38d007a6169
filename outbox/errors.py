"""Why a relay stops, or will not do what an operator wants."""

from typing import Final


class RelayError(Exception):
    """What an operator has to look at; the message says what."""


class LeaseLostError(Exception):
    """Another process leads, or may lead by now: whoever meets this stops publishing."""

    def __init__(self, name: str, epoch: int) -> None:
        super().__init__(f"the lease {name} of epoch {epoch} is lost")


class InRecoveryError(Exception):
    """The server is a standby, whose snapshots have no list of running transactions, or was one's primary once."""

    def __init__(self) -> None:
        super().__init__("the relay needs the primary, and this server is in recovery or takes no writes")


class UncoveredSlotsError(RelayError):
    """Some slots belong to no shard, or to two."""

    def __init__(self, *, shards: int, slot: int) -> None:
        super().__init__(
            f"the {shards} shards of relay_cursors do not have each slot once: look at slot {slot}; so nothing is"
            " published. Somebody changed the table by hand, and has to put it right: slots 0 to 1023"
        )


class UnmergeableError(RelayError):
    """Shards that are to become one have not come equally far."""

    def __init__(self, *, shard: int) -> None:
        super().__init__(
            f"shard {shard} has rows that are not published yet, and shards can become one only when none has:"
            " let the relays run and stop the consumers for a moment, then try again"
        )


class PausedShardsError(RelayError):
    """Shards that are paused by their numbers would be others afterwards."""

    def __init__(self, targets: str) -> None:
        super().__init__(
            f"{targets} is paused, and would be of other keys afterwards: resume it first, or pause `relay` instead"
        )


class MissingCursorError(RelayError):
    """The shard has no row in `relay_cursors`."""

    def __init__(self, shard: int) -> None:
        super().__init__(f"relay_cursors has no row for shard {shard}: run the migrations")


REBASE: Final = "`squad relay rebase --reason …` says what would be published again, and with --yes does it"


class WrongClusterError(RelayError):
    """The cursor belongs to another cluster, database or outbox table: its transaction ids mean nothing here."""

    def __init__(self, *, shard: int, stored: tuple[int | None, ...], found: tuple[int | None, ...]) -> None:
        names = ("system identifier", "database oid", "outbox oid")
        differences = ", ".join(
            f"{name} {was} is now {now}" for name, was, now in zip(names, stored, found, strict=True) if was != now
        )
        super().__init__(
            f"the cursor of shard {shard} belongs to another place, so nothing is published: {differences}. {REBASE}"
        )


class RestoredError(RelayError):
    """The cursor or rows are of transactions that this server has yet to begin."""

    def __init__(self, *, shard: int, what: str) -> None:
        super().__init__(
            f"the database was restored under the cursor of shard {shard}, so nothing is published: {what}. {REBASE}"
        )


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the first error of a group, which for a caller is what happened; the others are its cause's."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
