"""Messages of tasks."""

from typing import Any

from domain import commands, events
from domain.values import Priority
from tests.contracts.examples.things import PROJECT, SQUAD, TASK
from tests.making import NOON

EXAMPLES: dict[str, Any] = {
    "squad.create-task.v1": commands.CreateTask(
        squad_id=SQUAD, project_id=PROJECT, task_id=TASK, title="Write", priority=Priority.HIGH
    ),
    "squad.complete-task.v1": commands.CompleteTask(squad_id=SQUAD, task_id=TASK),
    "squad.complete-project-tasks.v1": commands.CompleteProjectTasks(squad_id=SQUAD, project_id=PROJECT),
    "squad.task-created.v1": events.TaskCreated(
        squad_id=SQUAD, project_id=PROJECT, task_id=TASK, title="Write", priority=Priority.HIGH
    ),
    "squad.task-completed.v1": events.TaskCompleted(
        squad_id=SQUAD, project_id=PROJECT, task_id=TASK, completed_at=NOON
    ),
    "squad.project-tasks-completed.v1": events.ProjectTasksCompleted(
        squad_id=SQUAD, project_id=PROJECT, count=1, completed_at=NOON, task_ids=(TASK,)
    ),
}
