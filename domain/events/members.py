"""Events of the members of a squad."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from annotated_types import Ge, Len

from domain.streams import OfSquad
from domain.sweeps import MAX_IDS
from domain.values import MemberId, Role, TaskId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """A seat that a squad was given."""

    member_id: MemberId
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadMembersAdded(OfSquad):
    """A squad has further members."""

    members: tuple[NewMember, ...]
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRoleChanged(OfSquad):
    """A member has another role."""

    member_id: MemberId
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSeated(OfSquad):
    """A user has a member's seat."""

    member_id: MemberId
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class UserUnseated(OfSquad):
    """A member's seat is free again."""

    member_id: MemberId
    user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved(OfSquad):
    """A member left, and its open tasks are nobody's; where they were more than 1,000, only their number is told."""

    member_id: MemberId
    removed_at: datetime
    unassigned_count: Annotated[int, Ge(0)]
    unassigned_task_ids: Annotated[tuple[TaskId, ...], Len(0, MAX_IDS)] | None = None
