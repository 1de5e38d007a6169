"""The domain's tables as events tell them."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Data = Mapping[str, Any]
Table = dict[str, dict[str, Any]]


@dataclass(slots=True)
class Rebuilt:
    """The tables as the events so far tell them; the fields are those of `checker.evidence.State`.

    `tasks_of_squad` has the ids of the tasks once more: what changes many of a squad need not look at all others then.
    `now` is the time of the event that is being told, for what its data says no time of.
    """

    users: Table = field(default_factory=dict)
    squads: Table = field(default_factory=dict)
    members: Table = field(default_factory=dict)
    projects: Table = field(default_factory=dict)
    tasks: Table = field(default_factory=dict)
    feedback: Table = field(default_factory=dict)
    usage: Table = field(default_factory=dict)
    tasks_of_squad: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    now: datetime | None = field(default=None, compare=False)


Retellings = Mapping[str, Callable[[Rebuilt, Data], None]]
"""By type of event, what it does; raises `KeyError` or `ValueError` where it does not fit what was told before it."""


def read_time(text: str) -> datetime:
    """Give a time of an event's data."""
    return datetime.fromisoformat(text)


def usage_key(squad_id: str, metric: str, period: object) -> str:
    """Give what a row of usage is called here, for events do not tell its id; `period` is the month's first day."""
    return f"{squad_id} {metric} {period}"
