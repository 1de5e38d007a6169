"""What the events of tasks do to the tables."""

from typing import Final

from checker.rebuilt import Data, Rebuilt, Retellings, read_time


def _task_created(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.tasks[data["task_id"]] = {
        "squad_id": data["squad_id"],
        "project_id": data["project_id"],
        "title": data["title"],
        "priority": data["priority"],
        "status": "pending",
        "completed_at": None,
    }


def _task_completed(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.tasks[data["task_id"]] |= {"status": "completed", "completed_at": read_time(data["completed_at"])}


def _project_tasks_completed(rebuilt: Rebuilt, data: Data) -> None:
    done = {"status": "completed", "completed_at": read_time(data["completed_at"])}
    found = {
        task_id
        for task_id, task in rebuilt.tasks.items()
        if task["project_id"] == data["project_id"] and task["status"] in {"pending", "in_progress"}
    }
    if len(found) != data["count"] or found != set(data.get("task_ids", found)):
        raise ValueError(f"{data['count']} tasks of {data['project_id']} were told, but {len(found)} are open")
    for task_id in found:
        rebuilt.tasks[task_id] |= done


RETELL: Final[Retellings] = {
    "squad.task-created.v1": _task_created,
    "squad.task-completed.v1": _task_completed,
    "squad.project-tasks-completed.v1": _project_tasks_completed,
}
