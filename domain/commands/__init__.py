"""Every command there is: a closed union."""

from domain.commands.feedback import SubmitFeedback, WithdrawFeedback
from domain.commands.members import AddSquadMembers, ChangeMemberRole, RemoveMember, SeatUser, UnseatUser
from domain.commands.onboarding import OnboardUser
from domain.commands.projects import ArchiveProject, CreateProject, RenameProject, ReopenProject
from domain.commands.squads import CreateSquad, DescribeSquad, DisbandSquad, RenameSquad, TransferSquadOwnership
from domain.commands.tasks import (
    AssignTask,
    CancelTask,
    ChangeTaskPriority,
    CompleteProjectTasks,
    CompleteTask,
    CreateTask,
    CreateTasks,
    NewTask,
    ReopenTask,
    StartTask,
)
from domain.commands.usage import RecordUsage, SetUsageLimit
from domain.commands.users import (
    ChangeEmail,
    ChangePlanTier,
    DeactivateUser,
    DeleteUser,
    ReactivateUser,
    RegisterUser,
    RegisterUserIfAbsent,
    RenameUser,
    SetPasswordHash,
    VerifyEmail,
)

Command = (
    RegisterUser
    | RegisterUserIfAbsent
    | RenameUser
    | ChangePlanTier
    | VerifyEmail
    | ChangeEmail
    | SetPasswordHash
    | DeactivateUser
    | ReactivateUser
    | DeleteUser
    | CreateSquad
    | OnboardUser
    | RenameSquad
    | DescribeSquad
    | TransferSquadOwnership
    | DisbandSquad
    | AddSquadMembers
    | ChangeMemberRole
    | SeatUser
    | UnseatUser
    | RemoveMember
    | CreateProject
    | RenameProject
    | ArchiveProject
    | ReopenProject
    | CreateTask
    | CreateTasks
    | AssignTask
    | ChangeTaskPriority
    | StartTask
    | CompleteTask
    | CancelTask
    | ReopenTask
    | CompleteProjectTasks
    | SubmitFeedback
    | WithdrawFeedback
    | RecordUsage
    | SetUsageLimit
)

__all__ = [
    "AddSquadMembers",
    "ArchiveProject",
    "AssignTask",
    "CancelTask",
    "ChangeEmail",
    "ChangeMemberRole",
    "ChangePlanTier",
    "ChangeTaskPriority",
    "Command",
    "CompleteProjectTasks",
    "CompleteTask",
    "CreateProject",
    "CreateSquad",
    "CreateTask",
    "CreateTasks",
    "DeactivateUser",
    "DeleteUser",
    "DescribeSquad",
    "DisbandSquad",
    "NewTask",
    "OnboardUser",
    "ReactivateUser",
    "RecordUsage",
    "RegisterUser",
    "RegisterUserIfAbsent",
    "RemoveMember",
    "RenameProject",
    "RenameSquad",
    "RenameUser",
    "ReopenProject",
    "ReopenTask",
    "SeatUser",
    "SetPasswordHash",
    "SetUsageLimit",
    "StartTask",
    "SubmitFeedback",
    "TransferSquadOwnership",
    "UnseatUser",
    "VerifyEmail",
    "WithdrawFeedback",
]
