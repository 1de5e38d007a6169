"""Commands on the projects of a squad."""

from dataclasses import dataclass

from domain.streams import OfSquad
from domain.values import Name, ProjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateProject(OfSquad):
    """Start a project in a squad."""

    project_id: ProjectId
    name: Name
