"""Rows that Kafka does not take, for good or for now: what the publisher says of them, and what becomes of them."""

from dataclasses import dataclass
from typing import Final, Literal

from outbox.wire import Record

Way = Literal["hold", "divert", "skip"]
"""What is done with a refused row: it waits with its key, goes to the dead letters, or is left out."""

DIVERTED: Final = "relay diverted"
SKIPPED: Final = "relay skipped"
"""How the audit calls what a relay did with a refused row by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that was not published, while others of its page were.

    Attributes:
        record: which.
        reason: what Kafka, or the size check before it, said; or behind which it waits.
        behind: the position of the refused record of the same topic and key in front of it; absent for that one itself.
        awaits: the topic or partition that takes nothing now, and for which it waits; absent for what is refused.
    """

    record: Record
    reason: str
    behind: int | None = None
    awaits: str | None = None

    @property
    def position(self) -> int:
        """Of its row."""
        return self.record.position


def behind(record: Record, position: int, *, awaits: str | None = None) -> Refused:
    """Give the record as one that waits behind a refused or held one of its topic and key; `awaits` is that one's."""
    return Refused(record=record, reason=f"behind position {position}", behind=position, awaits=awaits)


def shown_key(key: bytes | None) -> str:
    """Give a key as a log line has it: keys of dead letters are whatever somebody sent."""
    return "none" if key is None else repr(key[:64]) + ("…" if len(key) > 64 else "")
