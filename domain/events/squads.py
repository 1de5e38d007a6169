"""Events of a squad itself."""

from dataclasses import dataclass
from datetime import datetime

from domain.streams import OfSquad
from domain.values import Description, MemberId, Name, Role, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """A seat that a squad was given."""

    member_id: MemberId
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadCreated(OfSquad):
    """A squad began, with its first members."""

    user_id: UserId
    name: Name
    description: Description | None = None
    members: tuple[NewMember, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadOwnershipTransferred(OfSquad):
    """A squad has another owner."""

    from_user_id: UserId
    to_user_id: UserId
