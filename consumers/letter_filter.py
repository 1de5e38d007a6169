"""Which dead letters are meant: by what they are, and by what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final


class LetterState(StrEnum):
    """What became of a dead letter; a closed list."""

    OPEN = "open"
    """Nobody has done anything about it, or a redrive of it failed."""
    REDRIVING = "redriving"
    """Its own record is decided; records that were parked behind it still wait."""
    REDRIVEN = "redriven"
    DISCARDED = "discarded"


UNSETTLED: Final = (LetterState.OPEN, LetterState.REDRIVING)
"""The states that wait for an operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which dead letters; what is absent does not count.

    Args:
        states: in one of these states.
        ids: one of these; none: any.
        reason: why it is one.
        type, source, command_id: of its command, where they could be read.
        key: of its record.
        topic, partition: where its record was.
        since, until: when it became one; from the first on, before the second.
        words: part of its detail, in any case.
    """

    states: Sequence[LetterState] = UNSETTLED
    ids: Sequence[str] = ()
    reason: str | None = None
    type: str | None = None
    source: str | None = None
    command_id: str | None = None
    key: bytes | None = None
    topic: str | None = None
    partition: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    words: str | None = None

    def parameters(self) -> dict[str, object]:
        """Give the parameters of `CHOSEN`, and the states."""
        return {
            "states": [str(state) for state in self.states],
            "ids": list(self.ids) or None,
            "reason": self.reason,
            "type": self.type,
            "source": self.source,
            "command_id": self.command_id,
            "key": self.key,
            "topic": self.topic,
            "partition": self.partition,
            "since": self.since or datetime.min.replace(tzinfo=UTC),
            "until": self.until or datetime.max.replace(tzinfo=UTC),
            "words": self.words,
        }

    def describe(self) -> dict[str, object]:
        """Give it as the audit has it: what is chosen by, and nothing else."""
        chosen = {name: value for name, value in self.parameters().items() if value is not None}
        chosen["since"], chosen["until"] = self.since, self.until
        return {
            name: value if isinstance(value, list | int) else _told(value)
            for name, value in chosen.items()
            if value is not None
        }


def _told(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


CHOSEN: Final = """
      AND (CAST(:ids AS uuid[]) IS NULL OR d.id = ANY(CAST(:ids AS uuid[])))
      AND (CAST(:reason AS text) IS NULL OR d.reason = CAST(:reason AS text))
      AND (CAST(:type AS text) IS NULL OR d.type = CAST(:type AS text))
      AND (CAST(:source AS text) IS NULL OR d.source = CAST(:source AS text))
      AND (CAST(:command_id AS text) IS NULL OR d.command_id = CAST(:command_id AS text))
      AND (CAST(:key AS bytea) IS NULL OR d.key = CAST(:key AS bytea))
      AND (CAST(:topic AS text) IS NULL OR d.topic = CAST(:topic AS text))
      AND (CAST(:partition AS integer) IS NULL OR d.partition = CAST(:partition AS integer))
      AND d.first_at >= CAST(:since AS timestamptz) AND d.first_at < CAST(:until AS timestamptz)
      AND (CAST(:words AS text) IS NULL OR position(lower(CAST(:words AS text)) IN lower(d.detail)) > 0)
"""
"""The condition of a statement in which `d` is `dead_letters`."""
