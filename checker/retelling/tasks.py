"""What the events of tasks do to the tables."""

from collections.abc import Collection
from typing import Final

from checker.rebuilt import Data, Rebuilt, Retellings, read_time

OPEN: Final = frozenset({"pending", "in_progress"})


def find_open(
    rebuilt: Rebuilt, squad_id: str, column: str, value: str, *, count: int, told: Collection[str] | None
) -> Collection[str]:
    """Give the open tasks of a squad that have a value in a column.

    Args:
        rebuilt: the tables so far.
        squad_id, column, value: of which tasks an event tells.
        count: how many of them it tells.
        told: their ids, where they were not too many.

    Raises:
        ValueError: the event tells of others.
    """
    tasks = ((task_id, rebuilt.tasks[task_id]) for task_id in rebuilt.tasks_of_squad[squad_id])
    found = {task_id for task_id, task in tasks if task[column] == value and task["status"] in OPEN}
    if len(found) != count or found != set(found if told is None else told):
        raise ValueError(f"{count} open tasks of {value} were told, but {len(found)} are")
    return found


def cancel_open(rebuilt: Rebuilt, data: Data, column: str) -> None:
    """Cancel the open tasks of the project or squad that an event names in `column`."""
    count, told = data["cancelled_count"], data.get("cancelled_task_ids")
    for task_id in find_open(rebuilt, data["squad_id"], column, data[column], count=count, told=told):
        rebuilt.tasks[task_id]["status"] = "cancelled"


def _add_task(rebuilt: Rebuilt, data: Data, task: Data) -> None:
    rebuilt.tasks_of_squad[data["squad_id"]].append(task["task_id"])
    rebuilt.tasks[task["task_id"]] = {
        "squad_id": data["squad_id"],
        "project_id": data["project_id"],
        "title": task["title"],
        "priority": task["priority"],
        "status": "pending",
        "assignee_id": None,
        "created_at": rebuilt.now,
        "completed_at": None,
    }


def _task_created(rebuilt: Rebuilt, data: Data) -> None:
    _add_task(rebuilt, data, data)


def _tasks_created(rebuilt: Rebuilt, data: Data) -> None:
    for task in data["tasks"]:
        _add_task(rebuilt, data, task)


def _task_assigned(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.tasks[data["task_id"]]["assignee_id"] = data.get("member_id")


def _priority_changed(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.tasks[data["task_id"]]["priority"] = data["priority"]


def _task_started(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.tasks[data["task_id"]]["status"] = "in_progress"


def _task_completed(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.tasks[data["task_id"]] |= {"status": "completed", "completed_at": read_time(data["completed_at"])}


def _task_cancelled(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.tasks[data["task_id"]]["status"] = "cancelled"


def _task_reopened(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.tasks[data["task_id"]] |= {"status": "pending", "assignee_id": None, "completed_at": None}


def _project_tasks_completed(rebuilt: Rebuilt, data: Data) -> None:
    done = {"status": "completed", "completed_at": read_time(data["completed_at"])}
    squad_id, project_id, count, told = data["squad_id"], data["project_id"], data["count"], data.get("task_ids")
    for task_id in find_open(rebuilt, squad_id, "project_id", project_id, count=count, told=told):
        rebuilt.tasks[task_id] |= done


RETELL: Final[Retellings] = {
    "squad.task-created.v1": _task_created,
    "squad.tasks-created.v1": _tasks_created,
    "squad.task-assigned.v1": _task_assigned,
    "squad.task-priority-changed.v1": _priority_changed,
    "squad.task-started.v1": _task_started,
    "squad.task-completed.v1": _task_completed,
    "squad.task-cancelled.v1": _task_cancelled,
    "squad.task-reopened.v1": _task_reopened,
    "squad.project-tasks-completed.v1": _project_tasks_completed,
}
