"""The rules of a squad's projects."""

from collections.abc import Sequence

from domain.commands import ArchiveProject, CreateProject, RenameProject, ReopenProject
from domain.events import Event, ProjectArchived, ProjectCreated, ProjectRenamed, ProjectReopened
from domain.given import Given
from domain.handlers.squads import find_squad
from domain.reads import Reads
from domain.rejections import Code, Rejected
from domain.state import Project, State
from domain.sweeps import CancelOpenTasksOfProject, CountOpenTasksOfProject, Sweep, Swept
from domain.transitions import ARCHIVE_PROJECT, REOPEN_PROJECT
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


def find_active_project(state: State, squad_id: SquadId, project_id: ProjectId) -> Project:
    """Give a project of this squad that takes tasks.

    Raises:
        Rejected: `project-not-found` or `project-archived`.
    """
    project = find_project(state, squad_id, project_id)
    if project.status is ProjectStatus.ARCHIVED:
        raise Rejected(Code.PROJECT_ARCHIVED, f"Project {project.id} is archived")
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


def read_for_rename_project(command: RenameProject, reads: Reads) -> None:
    """The squad and the project."""
    reads.squad_to_change(command.squad_id)
    reads.projects.add(command.project_id)


def rename_project(state: State, command: RenameProject, given: Given) -> Sequence[Event]:
    """The name must be another one; an archived project may have it, too."""
    squad = find_squad(state, command.squad_id)
    project = find_project(state, squad.id, command.project_id)
    if project.name == command.name:
        raise Rejected(Code.SAME_NAME, "The project has this name already")
    project.name = command.name
    return [ProjectRenamed(squad_id=squad.id, project_id=project.id, name=command.name)]


def read_for_archive_project(command: ArchiveProject, reads: Reads) -> None:
    """The squad and the project; of its tasks only the database knows."""
    reads.squad_to_change(command.squad_id)
    reads.projects.add(command.project_id)


def sweep_archived_project(state: State, command: ArchiveProject, given: Given) -> Sweep:
    """The open tasks of a project of this squad are cancelled, or only counted, as the command says."""
    squad = find_squad(state, command.squad_id)
    project = find_project(state, squad.id, command.project_id)
    ARCHIVE_PROJECT.check("Project", project.id, project.status)
    if command.cancel_open_tasks:
        return CancelOpenTasksOfProject(project_id=project.id)
    return CountOpenTasksOfProject(project_id=project.id)


def tell_project_archived(state: State, command: ArchiveProject, given: Given, swept: Swept) -> Sequence[Event]:
    """Open tasks that were only counted refuse it."""
    if swept.count and not command.cancel_open_tasks:
        raise Rejected(Code.PROJECT_HAS_OPEN_TASKS, f"Project {command.project_id} has open tasks: {swept.count}")
    state.projects[command.project_id].status = ARCHIVE_PROJECT.leads_to
    return [
        ProjectArchived(
            squad_id=command.squad_id,
            project_id=command.project_id,
            cancelled_count=swept.count,
            cancelled_task_ids=swept.ids,
        )
    ]


def read_for_reopen_project(command: ReopenProject, reads: Reads) -> None:
    """The squad and the project."""
    reads.squad_to_change(command.squad_id)
    reads.projects.add(command.project_id)


def reopen_project(state: State, command: ReopenProject, given: Given) -> Sequence[Event]:
    """Only an archived project; its tasks stay closed."""
    squad = find_squad(state, command.squad_id)
    project = find_project(state, squad.id, command.project_id)
    REOPEN_PROJECT.check("Project", project.id, project.status)
    project.status = REOPEN_PROJECT.leads_to
    return [ProjectReopened(squad_id=squad.id, project_id=project.id)]
