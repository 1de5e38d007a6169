"""Messages of tasks."""

from typing import Any

from domain import commands, events
from domain.values import Priority
from tests.contracts.examples.things import MEMBER, PROJECT, SQUAD, TASK
from tests.making import NOON

EXAMPLES: dict[str, Any] = {
    "squad.create-task.v1": commands.CreateTask(
        squad_id=SQUAD, project_id=PROJECT, task_id=TASK, title="Write", priority=Priority.HIGH
    ),
    "squad.create-tasks.v1": commands.CreateTasks(
        squad_id=SQUAD,
        project_id=PROJECT,
        tasks=(commands.NewTask(task_id=TASK, title="Write", priority=Priority.HIGH),),
    ),
    "squad.assign-task.v1": commands.AssignTask(squad_id=SQUAD, task_id=TASK, member_id=MEMBER),
    "squad.change-task-priority.v1": commands.ChangeTaskPriority(
        squad_id=SQUAD, task_id=TASK, priority=Priority.URGENT
    ),
    "squad.start-task.v1": commands.StartTask(squad_id=SQUAD, task_id=TASK),
    "squad.complete-task.v1": commands.CompleteTask(squad_id=SQUAD, task_id=TASK),
    "squad.cancel-task.v1": commands.CancelTask(squad_id=SQUAD, task_id=TASK),
    "squad.reopen-task.v1": commands.ReopenTask(squad_id=SQUAD, project_id=PROJECT, task_id=TASK),
    "squad.complete-project-tasks.v1": commands.CompleteProjectTasks(squad_id=SQUAD, project_id=PROJECT),
    "squad.task-created.v1": events.TaskCreated(
        squad_id=SQUAD, project_id=PROJECT, task_id=TASK, title="Write", priority=Priority.HIGH
    ),
    "squad.tasks-created.v1": events.TasksCreated(
        squad_id=SQUAD,
        project_id=PROJECT,
        tasks=(events.CreatedTask(task_id=TASK, title="Write", priority=Priority.HIGH),),
    ),
    "squad.task-assigned.v1": events.TaskAssigned(squad_id=SQUAD, project_id=PROJECT, task_id=TASK, member_id=MEMBER),
    "squad.task-priority-changed.v1": events.TaskPriorityChanged(
        squad_id=SQUAD, project_id=PROJECT, task_id=TASK, priority=Priority.URGENT
    ),
    "squad.task-started.v1": events.TaskStarted(squad_id=SQUAD, project_id=PROJECT, task_id=TASK),
    "squad.task-completed.v1": events.TaskCompleted(
        squad_id=SQUAD, project_id=PROJECT, task_id=TASK, completed_at=NOON
    ),
    "squad.task-cancelled.v1": events.TaskCancelled(squad_id=SQUAD, project_id=PROJECT, task_id=TASK),
    "squad.task-reopened.v1": events.TaskReopened(squad_id=SQUAD, project_id=PROJECT, task_id=TASK),
    "squad.project-tasks-completed.v1": events.ProjectTasksCompleted(
        squad_id=SQUAD, project_id=PROJECT, count=1, completed_at=NOON, task_ids=(TASK,)
    ),
}
