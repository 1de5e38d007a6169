"""Events of the tasks of a squad."""

from dataclasses import dataclass
from datetime import datetime

from domain.streams import OfSquad
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
