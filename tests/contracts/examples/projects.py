"""Messages of projects."""

from typing import Any

from domain import commands, events
from tests.contracts.examples.things import PROJECT, SQUAD

EXAMPLES: dict[str, Any] = {
    "squad.create-project.v1": commands.CreateProject(squad_id=SQUAD, project_id=PROJECT, name="Launch"),
    "squad.project-created.v1": events.ProjectCreated(squad_id=SQUAD, project_id=PROJECT, name="Launch"),
}
