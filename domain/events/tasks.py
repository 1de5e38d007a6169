"""Events of the tasks of a squad."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from annotated_types import Ge, Len

from domain.streams import OfSquad
from domain.sweeps import MAX_IDS
from domain.values import Priority, ProjectId, TaskId, Title


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCreated(OfSquad):
    """A task was put into a project."""

    project_id: ProjectId
    task_id: TaskId
    title: Title
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompleted(OfSquad):
    """A task is done."""

    project_id: ProjectId
    task_id: TaskId
    completed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectTasksCompleted(OfSquad):
    """All open tasks of a project are done; where there were more than 1,000, only their number is told."""

    project_id: ProjectId
    count: Annotated[int, Ge(1)]
    completed_at: datetime
    task_ids: Annotated[tuple[TaskId, ...], Len(1, MAX_IDS)] | None = None
