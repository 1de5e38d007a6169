"""Every event there is: a closed union."""

from domain.events.projects import ProjectCreated
from domain.events.squads import NewMember, SquadCreated, SquadOwnershipTransferred
from domain.events.tasks import ProjectTasksCompleted, TaskCompleted, TaskCreated
from domain.events.users import (
    EmailChanged,
    EmailVerified,
    PasswordHashSet,
    PlanTierChanged,
    UserRegistered,
    UserRenamed,
)

Event = (
    UserRegistered
    | UserRenamed
    | PlanTierChanged
    | EmailVerified
    | EmailChanged
    | PasswordHashSet
    | SquadCreated
    | SquadOwnershipTransferred
    | ProjectCreated
    | TaskCreated
    | TaskCompleted
    | ProjectTasksCompleted
)

__all__ = [
    "EmailChanged",
    "EmailVerified",
    "Event",
    "NewMember",
    "PasswordHashSet",
    "PlanTierChanged",
    "ProjectCreated",
    "ProjectTasksCompleted",
    "SquadCreated",
    "SquadOwnershipTransferred",
    "TaskCompleted",
    "TaskCreated",
    "UserRegistered",
    "UserRenamed",
]
