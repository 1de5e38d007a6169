"""Commands on the members of a squad, which are its seats."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Len

from domain.streams import OfSquad
from domain.values import MemberId, Role, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSquadMembers(OfSquad):
    """Give a squad further members, one for each role."""

    roles: Annotated[tuple[Role, ...], Len(1, 100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeMemberRole(OfSquad):
    """Give a member another role."""

    member_id: MemberId
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatUser(OfSquad):
    """Give a member's free seat to an active user."""

    member_id: MemberId
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseatUser(OfSquad):
    """Free a member's seat from the user who has it."""

    member_id: MemberId


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMember(OfSquad):
    """Take a member out of a squad for good; its open tasks become nobody's."""

    member_id: MemberId
