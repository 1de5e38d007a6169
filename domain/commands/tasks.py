"""Commands on the tasks of a squad."""

from dataclasses import dataclass

from domain.streams import OfSquad
from domain.values import Priority, ProjectId, TaskId, Title


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTask(OfSquad):
    """Put a task into a project that is active."""

    project_id: ProjectId
    task_id: TaskId
    title: Title
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTask(OfSquad):
    """Mark a pending or started task as done."""

    task_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteProjectTasks(OfSquad):
    """Mark every pending or started task of a project as done, however many there are."""

    project_id: ProjectId
