"""The rules of a squad's tasks."""

from collections.abc import Sequence
from typing import Final

from domain.commands import CompleteProjectTasks, CompleteTask, CreateTask
from domain.events import Event, ProjectTasksCompleted, TaskCompleted, TaskCreated
from domain.given import Given
from domain.handlers.projects import find_project
from domain.handlers.squads import find_squad
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import State, Task
from domain.sweeps import CompleteOpenTasks, Sweep, Swept
from domain.values import ProjectStatus, SquadId, TaskId, TaskStatus

OPEN: Final = frozenset({TaskStatus.PENDING, TaskStatus.IN_PROGRESS})


def find_task(state: State, squad_id: SquadId, task_id: TaskId) -> Task:
    """Give a task of this squad.

    Raises:
        Rejected: `task-not-found`, also when the task belongs to another squad.
    """
    task = state.tasks.get(task_id)
    if task is None or task.squad_id != squad_id:
        raise Rejected(Code.TASK_NOT_FOUND, f"Task {task_id} not found")
    return task


def read_for_create_task(command: CreateTask, reads: Reads) -> None:
    """The squad, the project, and whatever has the task's id."""
    reads.squad_to_change(command.squad_id)
    reads.projects.add(command.project_id)
    reads.tasks.add(command.task_id)


def create_task(state: State, command: CreateTask, given: Given) -> Sequence[Event]:
    """A new task is pending; an archived project takes none."""
    squad = find_squad(state, command.squad_id)
    project = find_project(state, squad.id, command.project_id)
    if project.status is ProjectStatus.ARCHIVED:
        raise Rejected(Code.PROJECT_ARCHIVED, f"Project {project.id} is archived")
    if command.task_id in state.tasks:
        raise Rejected(Code.TASK_EXISTS, f"Task {command.task_id} already exists")
    state.tasks[command.task_id] = Task(
        id=command.task_id,
        squad_id=squad.id,
        project_id=project.id,
        title=command.title,
        status=TaskStatus.PENDING,
        priority=command.priority,
        assignee_id=None,
        created_at=given.now,
    )
    return [
        TaskCreated(
            squad_id=squad.id,
            project_id=project.id,
            task_id=command.task_id,
            title=command.title,
            priority=command.priority,
        )
    ]


def read_for_complete_task(command: CompleteTask, reads: Reads) -> None:
    """The squad and the task."""
    reads.squad_to_change(command.squad_id)
    reads.tasks.add(command.task_id)


def complete_task(state: State, command: CompleteTask, given: Given) -> Sequence[Event]:
    """Only an open task can be completed; the time is the command's."""
    squad = find_squad(state, command.squad_id)
    task = find_task(state, squad.id, command.task_id)
    if task.status not in OPEN:
        raise Rejected(Code.TASK_NOT_OPEN, f"Task {task.id} is {task.status}, so it cannot be completed")
    task.status = TaskStatus.COMPLETED
    task.completed_at = given.now
    return [TaskCompleted(squad_id=squad.id, project_id=task.project_id, task_id=task.id, completed_at=given.now)]


def read_for_complete_project_tasks(command: CompleteProjectTasks, reads: Reads) -> None:
    """The squad and the project; of its tasks only the database knows."""
    reads.squad_to_change(command.squad_id)
    reads.projects.add(command.project_id)


def sweep_project_tasks(state: State, command: CompleteProjectTasks, given: Given) -> Sweep:
    """The open tasks of a project of this squad; the time is the command's."""
    squad = find_squad(state, command.squad_id)
    project = find_project(state, squad.id, command.project_id)
    return CompleteOpenTasks(project_id=project.id, completed_at=given.now)


def tell_project_tasks_completed(command: CompleteProjectTasks, given: Given, swept: Swept) -> Sequence[Event]:
    """One event, however many tasks; none, where none was open."""
    if swept.count == 0:
        return []
    return [
        ProjectTasksCompleted(
            squad_id=command.squad_id,
            project_id=command.project_id,
            count=swept.count,
            completed_at=given.now,
            task_ids=swept.ids,
        )
    ]
