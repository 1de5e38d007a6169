"""Changes of many rows by one statement: a rule asks for a sweep, the database carries it out, an event tells it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.values import Id, ProjectId

MAX_IDS: Final = 1_000
"""So many ids are told of a sweep; where it changed more rows, only how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteOpenTasks:
    """Every open task of a project becomes completed."""

    project_id: ProjectId
    completed_at: datetime


Sweep = CompleteOpenTasks
"""Every sweep there is: a closed union."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep changed.

    Args:
        count: how many rows.
        ids: of which, sorted; `None` where they are more than `MAX_IDS`.
    """

    count: int
    ids: tuple[Id, ...] | None
