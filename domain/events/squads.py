"""Events of a squad itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from annotated_types import Ge, Len

from domain.events.members import NewMember
from domain.streams import OfSquad
from domain.sweeps import MAX_IDS
from domain.values import Description, Name, TaskId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadCreated(OfSquad):
    """A squad began, with its first members."""

    user_id: UserId
    name: Name
    description: Description | None = None
    members: tuple[NewMember, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadRenamed(OfSquad):
    """A squad has another name."""

    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadDescribed(OfSquad):
    """A squad has another description, or none."""

    description: Description | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadOwnershipTransferred(OfSquad):
    """A squad has another owner."""

    from_user_id: UserId
    to_user_id: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadDisbanded(OfSquad):
    """A squad ended, its open tasks cancelled; where they were more than 1,000, only their number is told."""

    disbanded_at: datetime
    cancelled_count: Annotated[int, Ge(0)]
    cancelled_task_ids: Annotated[tuple[TaskId, ...], Len(0, MAX_IDS)] | None = None
