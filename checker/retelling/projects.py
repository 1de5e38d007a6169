"""What the events of projects do to the tables."""

from typing import Final

from checker.rebuilt import Data, Rebuilt, Retellings
from checker.retelling.tasks import cancel_open


def _project_created(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.projects[data["project_id"]] = {
        "squad_id": data["squad_id"],
        "name": data["name"],
        "status": "active",
        "created_at": rebuilt.now,
    }


def _project_renamed(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.projects[data["project_id"]]["name"] = data["name"]


def _project_archived(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.projects[data["project_id"]]["status"] = "archived"
    cancel_open(rebuilt, data, "project_id")


def _project_reopened(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.projects[data["project_id"]]["status"] = "active"


RETELL: Final[Retellings] = {
    "squad.project-created.v1": _project_created,
    "squad.project-renamed.v1": _project_renamed,
    "squad.project-archived.v1": _project_archived,
    "squad.project-reopened.v1": _project_reopened,
}
