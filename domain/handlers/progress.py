"""The rules of how a squad's tasks proceed, from pending to completed or cancelled, and back."""

from collections.abc import Sequence

from domain.commands import CancelTask, CompleteProjectTasks, CompleteTask, ReopenTask, StartTask
from domain.events import Event, ProjectTasksCompleted, TaskCancelled, TaskCompleted, TaskReopened, TaskStarted
from domain.given import Given
from domain.handlers.projects import find_active_project, find_project
from domain.handlers.squads import find_squad
from domain.handlers.tasks import find_task
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import State
from domain.sweeps import CompleteOpenTasks, Sweep, Swept
from domain.transitions import CANCEL, COMPLETE, REOPEN, START


def read_for_start_task(command: StartTask, reads: Reads) -> None:
    """The squad and the task."""
    reads.squad_to_change(command.squad_id)
    reads.tasks.add(command.task_id)


def start_task(state: State, command: StartTask, given: Given) -> Sequence[Event]:
    """Only a pending task, whoever it is assigned to."""
    squad = find_squad(state, command.squad_id)
    task = find_task(state, squad.id, command.task_id)
    START.check("Task", task.id, task.status)
    task.status = START.leads_to
    return [TaskStarted(squad_id=squad.id, project_id=task.project_id, task_id=task.id)]


def read_for_complete_task(command: CompleteTask, reads: Reads) -> None:
    """The squad and the task."""
    reads.squad_to_change(command.squad_id)
    reads.tasks.add(command.task_id)


def complete_task(state: State, command: CompleteTask, given: Given) -> Sequence[Event]:
    """Only an open task can be completed; the time is the command's."""
    squad = find_squad(state, command.squad_id)
    task = find_task(state, squad.id, command.task_id)
    COMPLETE.check("Task", task.id, task.status)
    task.status = COMPLETE.leads_to
    task.completed_at = given.now
    return [TaskCompleted(squad_id=squad.id, project_id=task.project_id, task_id=task.id, completed_at=given.now)]


def read_for_cancel_task(command: CancelTask, reads: Reads) -> None:
    """The squad and the task."""
    reads.squad_to_change(command.squad_id)
    reads.tasks.add(command.task_id)


def cancel_task(state: State, command: CancelTask, given: Given) -> Sequence[Event]:
    """Only an open task; it keeps whose it was."""
    squad = find_squad(state, command.squad_id)
    task = find_task(state, squad.id, command.task_id)
    CANCEL.check("Task", task.id, task.status)
    task.status = CANCEL.leads_to
    return [TaskCancelled(squad_id=squad.id, project_id=task.project_id, task_id=task.id)]


def read_for_reopen_task(command: ReopenTask, reads: Reads) -> None:
    """The squad, the project and the task; the command names the project, for reads are declared before any is done."""
    reads.squad_to_change(command.squad_id)
    reads.projects.add(command.project_id)
    reads.tasks.add(command.task_id)


def reopen_task(state: State, command: ReopenTask, given: Given) -> Sequence[Event]:
    """Only a closed task of an active project; it is nobody's, because its member may be gone."""
    squad = find_squad(state, command.squad_id)
    project = find_active_project(state, squad.id, command.project_id)
    task = find_task(state, squad.id, command.task_id)
    if task.project_id != project.id:
        raise Rejected(Code.TASK_NOT_FOUND, f"Task {task.id} not found in project {project.id}")
    REOPEN.check("Task", task.id, task.status)
    task.status = REOPEN.leads_to
    task.completed_at = task.assignee_id = None
    return [TaskReopened(squad_id=squad.id, project_id=project.id, task_id=task.id)]


def read_for_complete_project_tasks(command: CompleteProjectTasks, reads: Reads) -> None:
    """The squad and the project; of its tasks only the database knows."""
    reads.squad_to_change(command.squad_id)
    reads.projects.add(command.project_id)


def sweep_project_tasks(state: State, command: CompleteProjectTasks, given: Given) -> Sweep:
    """The open tasks of a project of this squad; the time is the command's."""
    squad = find_squad(state, command.squad_id)
    project = find_project(state, squad.id, command.project_id)
    return CompleteOpenTasks(project_id=project.id, completed_at=given.now)


def tell_project_tasks_completed(
    state: State, command: CompleteProjectTasks, given: Given, swept: Swept
) -> Sequence[Event]:
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
