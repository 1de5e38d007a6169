"""Rows that nobody loaded one by one: a rule asks for a sweep, the database carries it out, an event tells it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.values import Id, MemberId, ProjectId, SquadId

MAX_IDS: Final = 1_000
"""So many ids are told of a sweep; where it found more rows, only how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteOpenTasks:
    """Every open task of a project becomes completed."""

    project_id: ProjectId
    completed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOpenTasksOfProject:
    """Every open task of a project becomes cancelled."""

    project_id: ProjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class CountOpenTasksOfProject:
    """The open tasks of a project are counted, and stay as they are."""

    project_id: ProjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOpenTasksOfSquad:
    """Every open task of a squad becomes cancelled."""

    squad_id: SquadId


@dataclass(frozen=True, slots=True, kw_only=True)
class CountOpenTasksOfSquad:
    """The open tasks of a squad are counted, and stay as they are."""

    squad_id: SquadId


@dataclass(frozen=True, slots=True, kw_only=True)
class UnassignOpenTasks:
    """Every open task of a member becomes nobody's."""

    member_id: MemberId


Sweep = (
    CompleteOpenTasks
    | CancelOpenTasksOfProject
    | CountOpenTasksOfProject
    | CancelOpenTasksOfSquad
    | CountOpenTasksOfSquad
    | UnassignOpenTasks
)
"""Every sweep there is: a closed union."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep changed, or counted.

    Args:
        count: how many rows.
        ids: of which, sorted; `None` where they are more than `MAX_IDS`.
    """

    count: int
    ids: tuple[Id, ...] | None
