"""Commands on the projects of a squad."""

from dataclasses import dataclass

from domain.streams import OfSquad
from domain.values import Name, ProjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateProject(OfSquad):
    """Start a project in a squad."""

    project_id: ProjectId
    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameProject(OfSquad):
    """Give a project another name, archived or not."""

    project_id: ProjectId
    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveProject(OfSquad):
    """Put a project away; it must have no open tasks, or they are cancelled if the command says so."""

    project_id: ProjectId
    cancel_open_tasks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenProject(OfSquad):
    """Make an archived project active again; its tasks stay as they are."""

    project_id: ProjectId
