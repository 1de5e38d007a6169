"""Every event there is: a closed union."""

from domain.events.projects import ProjectCreated
from domain.events.squads import NewMember, SquadCreated, SquadOwnershipTransferred
from domain.events.tasks import TaskCompleted, TaskCreated
from domain.events.users import UserRegistered

Event = UserRegistered | SquadCreated | SquadOwnershipTransferred | ProjectCreated | TaskCreated | TaskCompleted

__all__ = [
    "Event",
    "NewMember",
    "ProjectCreated",
    "SquadCreated",
    "SquadOwnershipTransferred",
    "TaskCompleted",
    "TaskCreated",
    "UserRegistered",
]
