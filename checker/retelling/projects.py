"""What the events of projects do to the tables."""

from typing import Final

from checker.rebuilt import Data, Rebuilt, Retellings


def _project_created(rebuilt: Rebuilt, data: Data) -> None:
    rebuilt.projects[data["project_id"]] = {"squad_id": data["squad_id"], "name": data["name"]}


RETELL: Final[Retellings] = {
    "squad.project-created.v1": _project_created,
}
