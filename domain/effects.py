"""What a handler says when it left out an optional part of its command; usually it just returns events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.events import Event
from domain.rejections import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class PartlyApplied:
    """The command was applied without its optional parts that a rule refused.

    Args:
        events: of the parts that were applied.
        refused: the others by name, each with the code that it would have been rejected with.
    """

    events: Sequence[Event]
    refused: Mapping[str, Code]


Effect = Sequence[Event] | PartlyApplied
"""What a handler returns."""
