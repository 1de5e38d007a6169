"""The rules of a squad's projects."""

from collections.abc import Sequence

from domain.commands import CreateProject
from domain.events import Event, ProjectCreated
from domain.given import Given
from domain.handlers.squads import find_squad
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import Project, State
from domain.values import ProjectId, ProjectStatus, SquadId


def find_project(state: State, squad_id: SquadId, project_id: ProjectId) -> Project:
    """Give a project of this squad.

    Raises:
        Rejected: `project-not-found`, also when the project belongs to another squad.
    """
    project = state.projects.get(project_id)
    if project is None or project.squad_id != squad_id:
        raise Rejected(Code.PROJECT_NOT_FOUND, f"Project {project_id} not found")
    return project


def read_for_create_project(command: CreateProject, reads: Reads) -> None:
    """The squad and whatever has the project's id."""
    reads.squad_to_change(command.squad_id)
    reads.projects.add(command.project_id)


def create_project(state: State, command: CreateProject, given: Given) -> Sequence[Event]:
    """A project id is used once, whatever the squad."""
    squad = find_squad(state, command.squad_id)
    if command.project_id in state.projects:
        raise Rejected(Code.PROJECT_EXISTS, f"Project {command.project_id} already exists")
    state.projects[command.project_id] = Project(
        id=command.project_id,
        squad_id=squad.id,
        name=command.name,
        status=ProjectStatus.ACTIVE,
        created_at=given.now,
    )
    return [ProjectCreated(squad_id=squad.id, project_id=command.project_id, name=command.name)]
