"""What a handler may know beside the state: handlers see no clock and no random source."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from domain.values import Id


@dataclass(slots=True)
class Given:
    """The circumstances of one command, the same however often it is decided.

    Not frozen: one is made for each command, and frozen costs twice.

    Args:
        now: the command record's own timestamp, UTC.
        new_id: gives the id of the n-th new thing of a kind, derived from the command's identity.
    """

    now: datetime
    new_id: Callable[[str, int], Id]
