"""The rules of what a squad's tasks are: made, given to members, more or less urgent."""

from collections.abc import Iterable, Sequence

from domain.commands import AssignTask, ChangeTaskPriority, CreateTask, CreateTasks, NewTask
from domain.events import (
    MAX_TASKS_TOLD,
    CreatedTask,
    Event,
    TaskAssigned,
    TaskCreated,
    TaskPriorityChanged,
    TasksCreated,
)
from domain.given import Given
from domain.handlers.members import find_member
from domain.handlers.projects import find_active_project
from domain.handlers.squads import find_squad
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import Project, State, Task
from domain.values import OPEN, SquadId, TaskId, TaskStatus


def find_task(state: State, squad_id: SquadId, task_id: TaskId) -> Task:
    """Give a task of this squad.

    Raises:
        Rejected: `task-not-found`, also when the task belongs to another squad.
    """
    task = state.tasks.get(task_id)
    if task is None or task.squad_id != squad_id:
        raise Rejected(Code.TASK_NOT_FOUND, f"Task {task_id} not found")
    return task


def _make_task(project: Project, asked: CreateTask | NewTask, given: Given) -> Task:
    """A new task is pending and nobody's."""
    return Task(
        id=asked.task_id,
        squad_id=project.squad_id,
        project_id=project.id,
        title=asked.title,
        status=TaskStatus.PENDING,
        priority=asked.priority,
        assignee_id=None,
        created_at=given.now,
    )


def read_for_create_task(command: CreateTask, reads: Reads) -> None:
    """The squad, the project, and whatever has the task's id."""
    reads.squad_to_change(command.squad_id)
    reads.projects.add(command.project_id)
    reads.tasks.add(command.task_id)


def create_task(state: State, command: CreateTask, given: Given) -> Sequence[Event]:
    """A task id is used once, whatever the squad; an archived project takes none."""
    squad = find_squad(state, command.squad_id)
    project = find_active_project(state, squad.id, command.project_id)
    if command.task_id in state.tasks:
        raise Rejected(Code.TASK_EXISTS, f"Task {command.task_id} already exists")
    state.tasks[command.task_id] = _make_task(project, command, given)
    return [
        TaskCreated(
            squad_id=squad.id,
            project_id=project.id,
            task_id=command.task_id,
            title=command.title,
            priority=command.priority,
        )
    ]


def read_for_create_tasks(command: CreateTasks, reads: Reads) -> None:
    """The squad, the project, and whatever has one of the tasks' ids."""
    reads.squad_to_change(command.squad_id)
    reads.projects.add(command.project_id)
    reads.tasks.update(task.task_id for task in command.tasks)


def create_tasks(state: State, command: CreateTasks, given: Given) -> Sequence[Event]:
    """All of the tasks or none: one id that is known, or comes twice, refuses them all."""
    squad = find_squad(state, command.squad_id)
    project = find_active_project(state, squad.id, command.project_id)
    _refuse_known_tasks(state, command.tasks)
    for task in command.tasks:
        state.tasks[task.task_id] = _make_task(project, task, given)
    told = [CreatedTask(task_id=task.task_id, title=task.title, priority=task.priority) for task in command.tasks]
    return [
        TasksCreated(squad_id=squad.id, project_id=project.id, tasks=tuple(told[place : place + MAX_TASKS_TOLD]))
        for place in range(0, len(told), MAX_TASKS_TOLD)
    ]


def _refuse_known_tasks(state: State, tasks: Iterable[NewTask]) -> None:
    met: set[TaskId] = set()
    for task in tasks:
        if task.task_id in state.tasks:
            raise Rejected(Code.TASK_EXISTS, f"Task {task.task_id} already exists")
        if task.task_id in met:
            raise Rejected(Code.TASK_EXISTS, f"Task {task.task_id} comes twice in this command")
        met.add(task.task_id)


def read_for_assign_task(command: AssignTask, reads: Reads) -> None:
    """The squad, the task, and the member if there is one."""
    reads.squad_to_change(command.squad_id)
    reads.tasks.add(command.task_id)
    if command.member_id is not None:
        reads.members.add(command.member_id)


def assign_task(state: State, command: AssignTask, given: Given) -> Sequence[Event]:
    """An open task goes to another member of the squad, or from one to nobody."""
    squad = find_squad(state, command.squad_id)
    task = _find_open_task(state, squad.id, command.task_id)
    if command.member_id is not None:
        find_member(state, squad.id, command.member_id)
    if task.assignee_id == command.member_id:
        raise Rejected(Code.SAME_ASSIGNEE, "The task is assigned so already")
    task.assignee_id = command.member_id
    return [TaskAssigned(squad_id=squad.id, project_id=task.project_id, task_id=task.id, member_id=command.member_id)]


def read_for_change_task_priority(command: ChangeTaskPriority, reads: Reads) -> None:
    """The squad and the task."""
    reads.squad_to_change(command.squad_id)
    reads.tasks.add(command.task_id)


def change_task_priority(state: State, command: ChangeTaskPriority, given: Given) -> Sequence[Event]:
    """The priority of an open task must be another one."""
    squad = find_squad(state, command.squad_id)
    task = _find_open_task(state, squad.id, command.task_id)
    if task.priority is command.priority:
        raise Rejected(Code.SAME_PRIORITY, "The task has this priority already")
    task.priority = command.priority
    return [
        TaskPriorityChanged(squad_id=squad.id, project_id=task.project_id, task_id=task.id, priority=command.priority)
    ]


def _find_open_task(state: State, squad_id: SquadId, task_id: TaskId) -> Task:
    task = find_task(state, squad_id, task_id)
    if task.status not in OPEN:
        raise Rejected(Code.TASK_NOT_OPEN, f"Task {task.id} is {task.status}, so it cannot be changed")
    return task
