"""What became of a command: the answer its producer gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from domain.values import Id


class Outcome(StrEnum):
    """The closed list of outcomes. `parked` and `dead-lettered` are not final: a redrive may end in `applied`."""

    APPLIED = "applied"
    REJECTED = "rejected"
    EXPIRED = "expired"
    PARKED = "parked"
    DEAD_LETTERED = "dead-lettered"


@dataclass(slots=True, kw_only=True)
class CommandOutcome:
    """The body of `squad.command-outcome.v1`.

    Not frozen: one is made for each command, and frozen costs twice.

    Args:
        source, id, type: the command's own attributes.
        outcome: what became of it.
        code: of the rejection or the dead letter; null when applied.
        detail: a sentence for people; null when applied.
        errors: what is wrong by field.
        retryable: the same content may succeed later, under a new id.
        final: no later revision will follow.
        revision: from 1; readers ignore a lower one than they have seen.
        version: of the command's stream after it; null where the command never reached it.
        event_ids: of the events it caused, in order.
        refused: optional parts that were refused, with their codes.
    """

    source: str
    id: str
    type: str
    outcome: Outcome
    code: str | None = None
    detail: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    retryable: bool = False
    final: bool = True
    revision: int = 1
    version: int | None = None
    event_ids: tuple[Id, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
