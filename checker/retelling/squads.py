"""What the events of squads do to the tables."""

from typing import Final

from checker.rebuilt import Data, Rebuilt, Retellings, read_time
from checker.retelling.members import add_members
from checker.retelling.tasks import cancel_open


def _squad_created(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.squads[data["squad_id"]] = {
        "user_id": data["user_id"],
        "name": data["name"],
        "description": data.get("description"),
        "status": "active",
        "created_at": read_time(data["created_at"]),
    }
    add_members(rebuilt, data, data["created_at"])


def _squad_renamed(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.squads[data["squad_id"]]["name"] = data["name"]


def _squad_described(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.squads[data["squad_id"]]["description"] = data.get("description")


def _ownership_transferred(rebuilt: Rebuilt, data: Data) -> None:
    squad = rebuilt.squads[data["squad_id"]]
    if squad["user_id"] != data["from_user_id"]:
        raise ValueError(f"{data['from_user_id']} does not own {data['squad_id']}")
    squad["user_id"] = data["to_user_id"]


def _squad_disbanded(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.squads[data["squad_id"]]["status"] = "disbanded"
    cancel_open(rebuilt, data, "squad_id")


RETELL: Final[Retellings] = {
    "squad.created.v1": _squad_created,
    "squad.renamed.v1": _squad_renamed,
    "squad.described.v1": _squad_described,
    "squad.ownership-transferred.v1": _ownership_transferred,
    "squad.disbanded.v1": _squad_disbanded,
}
