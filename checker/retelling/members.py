"""What the events of the members of squads do to the tables."""

from typing import Final

from checker.rebuilt import Data, Rebuilt, Retellings, read_time
from checker.retelling.tasks import find_open


def add_members(rebuilt: Rebuilt, data: Data, added_at: str) -> None:
    """Add the members that an event tells, their seats free."""
    for member in data["members"]:
        rebuilt.members[member["member_id"]] = {
            "squad_id": data["squad_id"],
            "user_id": None,
            "role": member["role"],
            "created_at": read_time(added_at),
            "removed_at": None,
        }


def _members_added(rebuilt: Rebuilt, data: Data) -> None:
    add_members(rebuilt, data, data["added_at"])


def _role_changed(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.members[data["member_id"]]["role"] = data["role"]


def _user_seated(rebuilt: Rebuilt, data: Data) -> None:
    member = rebuilt.members[data["member_id"]]
    if member["user_id"] is not None:
        raise ValueError(f"{member['user_id']} has the seat {data['member_id']} already")
    member["user_id"] = data["user_id"]


def _user_unseated(rebuilt: Rebuilt, data: Data) -> None:
    member = rebuilt.members[data["member_id"]]
    if member["user_id"] != data["user_id"]:
        raise ValueError(f"{data['user_id']} has not the seat {data['member_id']}")
    member["user_id"] = None


def _member_removed(rebuilt: Rebuilt, data: Data) -> None:
    member_id, count, told = data["member_id"], data["unassigned_count"], data.get("unassigned_task_ids")
    rebuilt.members[member_id]["removed_at"] = read_time(data["removed_at"])
    for task_id in find_open(rebuilt, data["squad_id"], "assignee_id", member_id, count=count, told=told):
        rebuilt.tasks[task_id]["assignee_id"] = None


RETELL: Final[Retellings] = {
    "squad.members-added.v1": _members_added,
    "squad.member-role-changed.v1": _role_changed,
    "squad.user-seated.v1": _user_seated,
    "squad.user-unseated.v1": _user_unseated,
    "squad.member-removed.v1": _member_removed,
}
