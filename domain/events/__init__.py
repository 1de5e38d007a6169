"""Every event there is: a closed union."""

from domain.events.feedback import FeedbackSubmitted, FeedbackWithdrawn
from domain.events.members import (
    MemberRemoved,
    MemberRoleChanged,
    NewMember,
    SquadMembersAdded,
    UserSeated,
    UserUnseated,
)
from domain.events.projects import ProjectArchived, ProjectCreated, ProjectRenamed, ProjectReopened
from domain.events.squads import (
    SquadCreated,
    SquadDescribed,
    SquadDisbanded,
    SquadOwnershipTransferred,
    SquadRenamed,
)
from domain.events.tasks import (
    MAX_TASKS_TOLD,
    CreatedTask,
    ProjectTasksCompleted,
    TaskAssigned,
    TaskCancelled,
    TaskCompleted,
    TaskCreated,
    TaskPriorityChanged,
    TaskReopened,
    TasksCreated,
    TaskStarted,
)
from domain.events.usage import UsageLimitCrossed, UsageLimitSet, UsageRecorded
from domain.events.users import (
    EmailChanged,
    EmailVerified,
    PasswordHashSet,
    PlanTierChanged,
    UserDeactivated,
    UserDeleted,
    UserReactivated,
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
    | UserDeactivated
    | UserReactivated
    | UserDeleted
    | SquadCreated
    | SquadRenamed
    | SquadDescribed
    | SquadOwnershipTransferred
    | SquadDisbanded
    | SquadMembersAdded
    | MemberRoleChanged
    | UserSeated
    | UserUnseated
    | MemberRemoved
    | ProjectCreated
    | ProjectRenamed
    | ProjectArchived
    | ProjectReopened
    | TaskCreated
    | TasksCreated
    | TaskAssigned
    | TaskPriorityChanged
    | TaskStarted
    | TaskCompleted
    | TaskCancelled
    | TaskReopened
    | ProjectTasksCompleted
    | FeedbackSubmitted
    | FeedbackWithdrawn
    | UsageRecorded
    | UsageLimitSet
    | UsageLimitCrossed
)

__all__ = [
    "MAX_TASKS_TOLD",
    "CreatedTask",
    "EmailChanged",
    "EmailVerified",
    "Event",
    "FeedbackSubmitted",
    "FeedbackWithdrawn",
    "MemberRemoved",
    "MemberRoleChanged",
    "NewMember",
    "PasswordHashSet",
    "PlanTierChanged",
    "ProjectArchived",
    "ProjectCreated",
    "ProjectRenamed",
    "ProjectReopened",
    "ProjectTasksCompleted",
    "SquadCreated",
    "SquadDescribed",
    "SquadDisbanded",
    "SquadMembersAdded",
    "SquadOwnershipTransferred",
    "SquadRenamed",
    "TaskAssigned",
    "TaskCancelled",
    "TaskCompleted",
    "TaskCreated",
    "TaskPriorityChanged",
    "TaskReopened",
    "TaskStarted",
    "TasksCreated",
    "UsageLimitCrossed",
    "UsageLimitSet",
    "UsageRecorded",
    "UserDeactivated",
    "UserDeleted",
    "UserReactivated",
    "UserRegistered",
    "UserRenamed",
    "UserSeated",
    "UserUnseated",
]
