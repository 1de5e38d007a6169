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
class TransferSquadOwnership(OfSquad):
    """Give a squad to another active user."""

    new_owner_id: UserId
