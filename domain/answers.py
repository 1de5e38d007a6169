"""What a handler gives back where its events do not say it all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.events import Event
from domain.rejections import Code
from domain.values import Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a command that was applied; most handlers need not say more than the events.

    Args:
        events: what happened, in order.
        found: what was there already and so was not made, by the name of the command's field.
        refused: optional parts that a rule refused, with their codes.
    """

    events: Sequence[Event]
    found: Mapping[str, Id] = field(default_factory=dict)
    refused: Mapping[str, Code] = field(default_factory=dict)


Decided = Sequence[Event] | Answer
"""What a handler may return."""
