"""Checks the domain's tables: built again from the events alone, they are the same."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from checker.case import Case
from checker.evidence import State
from checker.faults import Fault, Invariant

Data = Mapping[str, Any]
Table = dict[str, dict[str, Any]]


@dataclass(slots=True)
class Rebuilt:
    """The tables as the events so far tell them."""

    users: Table = field(default_factory=dict)
    squads: Table = field(default_factory=dict)
    members: Table = field(default_factory=dict)
    projects: Table = field(default_factory=dict)
    tasks: Table = field(default_factory=dict)


def check_state(case: Case) -> Iterator[Fault]:
    """Every row that the events tell is in its table, in every column that they carry, and no other row is.

    Of streams that wait for Kafka nothing can be said.
    """
    rebuilt = Rebuilt()
    for record in case.events.first.values():
        if (record.key or b"").decode(errors="replace") in case.incomplete:
            continue
        retell = RETELL.get(record.header("ce_type") or "")
        if retell is not None:
            try:
                retell(rebuilt, json.loads(record.value or b""))
            except (KeyError, ValueError) as error:
                yield Fault(Invariant.STATE_REBUILT, f"the event at {record.place} does not fit: {error!r}")
    for table in fields(State):
        told, stored = getattr(rebuilt, table.name), getattr(case.tables.state, table.name)
        for row_id in told.keys() | stored.keys():
            if told.get(row_id) != stored.get(row_id) and not _is_of(case.incomplete, row_id, stored.get(row_id)):
                differing = f"{told.get(row_id)} by the events, {stored.get(row_id)} by the table"
                yield Fault(Invariant.STATE_REBUILT, f"{table.name} {row_id}: {differing}")


def _is_of(streams: set[str], row_id: str, row: Data | None) -> bool:
    """Tell whether a row belongs to one of these streams."""
    return row_id in streams or (row is not None and row.get("squad_id") in streams)


def find_unknown_types(case: Case) -> set[str]:
    """Give the types of events that are not known here, so that the tables cannot be built again."""
    return {record.header("ce_type") or "(none)" for record in case.events.first.values()} - RETELL.keys()


def _user_registered(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.users[data["user_id"]] = {"plan_tier": data["plan_tier"], "created_at": _time(data["registered_at"])}


def _squad_created(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.squads[data["squad_id"]] = {
        "user_id": data["user_id"],
        "name": data["name"],
        "description": data.get("description"),
        "created_at": _time(data["created_at"]),
    }
    for member in data["members"]:
        rebuilt.members[member["member_id"]] = {"squad_id": data["squad_id"], "role": member["role"]}


def _ownership_transferred(rebuilt: Rebuilt, data: Data) -> None:
    squad = rebuilt.squads[data["squad_id"]]
    if squad["user_id"] != data["from_user_id"]:
        raise ValueError(f"{data['from_user_id']} does not own {data['squad_id']}")
    squad["user_id"] = data["to_user_id"]


def _project_created(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.projects[data["project_id"]] = {"squad_id": data["squad_id"], "name": data["name"]}


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
    rebuilt.tasks[data["task_id"]] |= {"status": "completed", "completed_at": _time(data["completed_at"])}


def _project_tasks_completed(rebuilt: Rebuilt, data: Data) -> None:
    done = {"status": "completed", "completed_at": _time(data["completed_at"])}
    found = {
        task_id
        for task_id, task in rebuilt.tasks.items()
        if task["project_id"] == data["project_id"] and task["status"] in {"pending", "in_progress"}
    }
    if len(found) != data["count"] or found != set(data.get("task_ids", found)):
        raise ValueError(f"{data['count']} tasks of {data['project_id']} were told, but {len(found)} are open")
    for task_id in found:
        rebuilt.tasks[task_id] |= done


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


RETELL: Final[Mapping[str, Callable[[Rebuilt, Data], None]]] = {
    "user.registered.v1": _user_registered,
    "squad.created.v1": _squad_created,
    "squad.ownership-transferred.v1": _ownership_transferred,
    "squad.project-created.v1": _project_created,
    "squad.task-created.v1": _task_created,
    "squad.task-completed.v1": _task_completed,
    "squad.project-tasks-completed.v1": _project_tasks_completed,
}
"""What each type of event does to the tables."""

CHECKS = (check_state,)
