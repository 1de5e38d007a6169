"""The command that writes two streams: a user's and, its own, a squad's."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Len

from domain.streams import OfSquad
from domain.values import Description, Email, Name, PersonName, Role, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class OnboardUser(OfSquad):
    """Register a user and make a squad of which they are the owner: both or, unless `squad_optional`, nothing."""

    user_id: UserId
    email: Email
    name: PersonName
    squad_name: Name
    description: Description | None = None
    roles: Annotated[tuple[Role, ...], Len(0, 100)] = ()
    squad_optional: bool = False
