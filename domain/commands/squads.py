"""Commands on a squad itself."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Len

from domain.streams import OfSquad
from domain.values import Description, Name, Role, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSquad(OfSquad):
    """Make a squad for an active user, with one member for each role."""

    user_id: UserId
    name: Name
    description: Description | None = None
    roles: Annotated[tuple[Role, ...], Len(0, 100)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameSquad(OfSquad):
    """Give a squad another name."""

    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeSquad(OfSquad):
    """Give a squad another description; without one, it has none any more."""

    description: Description | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSquadOwnership(OfSquad):
    """Give a squad to another active user."""

    new_owner_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class DisbandSquad(OfSquad):
    """End a squad for good; it must have no open tasks, or they are cancelled if the command says so."""

    cancel_open_tasks: bool = False
