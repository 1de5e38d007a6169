"""What the events of squads and their members do to the tables."""

from typing import Final

from checker.rebuilt import Data, Rebuilt, Retellings, read_time


def _squad_created(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.squads[data["squad_id"]] = {
        "user_id": data["user_id"],
        "name": data["name"],
        "description": data.get("description"),
        "created_at": read_time(data["created_at"]),
    }
    for member in data["members"]:
        rebuilt.members[member["member_id"]] = {"squad_id": data["squad_id"], "role": member["role"]}


def _ownership_transferred(rebuilt: Rebuilt, data: Data) -> None:
    squad = rebuilt.squads[data["squad_id"]]
    if squad["user_id"] != data["from_user_id"]:
        raise ValueError(f"{data['from_user_id']} does not own {data['squad_id']}")
    squad["user_id"] = data["to_user_id"]


RETELL: Final[Retellings] = {
    "squad.created.v1": _squad_created,
    "squad.ownership-transferred.v1": _ownership_transferred,
}
