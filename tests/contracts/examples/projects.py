"""Messages of projects."""

from typing import Any

from domain import commands, events
from tests.contracts.examples.things import PROJECT, SQUAD, TASK

EXAMPLES: dict[str, Any] = {
    "squad.create-project.v1": commands.CreateProject(squad_id=SQUAD, project_id=PROJECT, name="Launch"),
    "squad.rename-project.v1": commands.RenameProject(squad_id=SQUAD, project_id=PROJECT, name="Landing"),
    "squad.archive-project.v1": commands.ArchiveProject(squad_id=SQUAD, project_id=PROJECT, cancel_open_tasks=True),
    "squad.reopen-project.v1": commands.ReopenProject(squad_id=SQUAD, project_id=PROJECT),
    "squad.project-created.v1": events.ProjectCreated(squad_id=SQUAD, project_id=PROJECT, name="Launch"),
    "squad.project-renamed.v1": events.ProjectRenamed(squad_id=SQUAD, project_id=PROJECT, name="Landing"),
    "squad.project-archived.v1": events.ProjectArchived(
        squad_id=SQUAD, project_id=PROJECT, cancelled_count=1, cancelled_task_ids=(TASK,)
    ),
    "squad.project-reopened.v1": events.ProjectReopened(squad_id=SQUAD, project_id=PROJECT),
}
