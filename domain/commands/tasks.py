"""Commands on the tasks of a squad."""

from dataclasses import dataclass
from typing import Annotated, Final

from annotated_types import Len

from domain.streams import OfSquad
from domain.values import MemberId, Priority, ProjectId, TaskId, Title

MAX_NEW_TASKS: Final = 1_000
"""So many tasks can be made by one command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTask(OfSquad):
    """Put a task into a project that is active."""

    project_id: ProjectId
    task_id: TaskId
    title: Title
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task that is to be made."""

    task_id: TaskId
    title: Title
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTasks(OfSquad):
    """Put many tasks into a project that is active: all of them, or none."""

    project_id: ProjectId
    tasks: Annotated[tuple[NewTask, ...], Len(1, MAX_NEW_TASKS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignTask(OfSquad):
    """Give an open task to a member of its squad; without one, it is nobody's any more."""

    task_id: TaskId
    member_id: MemberId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTaskPriority(OfSquad):
    """Make an open task more or less urgent."""

    task_id: TaskId
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTask(OfSquad):
    """Begin a pending task."""

    task_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTask(OfSquad):
    """Mark a pending or started task as done."""

    task_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTask(OfSquad):
    """Give up a pending or started task."""

    task_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenTask(OfSquad):
    """Make a completed or cancelled task of an active project pending again, and nobody's."""

    project_id: ProjectId
    task_id: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteProjectTasks(OfSquad):
    """Mark every pending or started task of a project as done, however many there are."""

    project_id: ProjectId
