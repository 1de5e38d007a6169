"""Events of the projects of a squad."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Len

from domain.streams import OfSquad
from domain.sweeps import MAX_IDS
from domain.values import Name, ProjectId, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectCreated(OfSquad):
    """A project began."""

    project_id: ProjectId
    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRenamed(OfSquad):
    """A project has another name."""

    project_id: ProjectId
    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectArchived(OfSquad):
    """A project was put away, its open tasks cancelled; where they were more than 1,000, only their number is told."""

    project_id: ProjectId
    cancelled_count: Annotated[int, Ge(0)]
    cancelled_task_ids: Annotated[tuple[TaskId, ...], Len(0, MAX_IDS)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectReopened(OfSquad):
    """A project takes tasks again."""

    project_id: ProjectId
