"""Events of the tasks of a squad."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from annotated_types import Ge, Len

from domain.streams import OfSquad
from domain.sweeps import MAX_IDS
from domain.values import MemberId, Priority, ProjectId, TaskId, Title

MAX_TASKS_TOLD: Final = 500
"""So many new tasks are told by one event: with the longest titles in JSON's longest escapes, it stays below 1 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCreated(OfSquad):
    """A task was put into a project."""

    project_id: ProjectId
    task_id: TaskId
    title: Title
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedTask:
    """A task that was made among others."""

    task_id: TaskId
    title: Title
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksCreated(OfSquad):
    """Many tasks were put into a project; where there were more than 500, further events tell the others."""

    project_id: ProjectId
    tasks: Annotated[tuple[CreatedTask, ...], Len(1, MAX_TASKS_TOLD)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAssigned(OfSquad):
    """A task has another assignee, or none."""

    project_id: ProjectId
    task_id: TaskId
    member_id: MemberId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPriorityChanged(OfSquad):
    """A task is more or less urgent."""

    project_id: ProjectId
    task_id: TaskId
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(OfSquad):
    """A task is in progress."""

    project_id: ProjectId
    task_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompleted(OfSquad):
    """A task is done."""

    project_id: ProjectId
    task_id: TaskId
    completed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled(OfSquad):
    """A task was given up."""

    project_id: ProjectId
    task_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReopened(OfSquad):
    """A task is pending again, and nobody's."""

    project_id: ProjectId
    task_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectTasksCompleted(OfSquad):
    """All open tasks of a project are done; where there were more than 1,000, only their number is told."""

    project_id: ProjectId
    count: Annotated[int, Ge(1)]
    completed_at: datetime
    task_ids: Annotated[tuple[TaskId, ...], Len(1, MAX_IDS)] | None = None
