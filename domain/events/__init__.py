"""Every event there is: a closed union."""

from domain.events.projects import ProjectCreated
from domain.events.squads import NewMember, SquadCreated, SquadOwnershipTransferred
from domain.events.tasks import ProjectTasksCompleted, TaskCompleted, TaskCreated
from domain.events.users import UserRegistered

Event = (
    UserRegistered
    | SquadCreated
    | SquadOwnershipTransferred
    | ProjectCreated
    | TaskCreated
    | TaskCompleted
    | ProjectTasksCompleted
)

__all__ = [
    "Event",
    "NewMember",
    "ProjectCreated",
    "ProjectTasksCompleted",
    "SquadCreated",
    "SquadOwnershipTransferred",
    "TaskCompleted",
    "TaskCreated",
    "UserRegistered",
]
