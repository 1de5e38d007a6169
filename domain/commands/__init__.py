"""Every command there is: a closed union."""

from domain.commands.projects import CreateProject
from domain.commands.squads import CreateSquad, TransferSquadOwnership
from domain.commands.tasks import CompleteProjectTasks, CompleteTask, CreateTask
from domain.commands.users import (
    ChangeEmail,
    ChangePlanTier,
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
    | CreateSquad
    | TransferSquadOwnership
    | CreateProject
    | CreateTask
    | CompleteTask
    | CompleteProjectTasks
)

__all__ = [
    "ChangeEmail",
    "ChangePlanTier",
    "Command",
    "CompleteProjectTasks",
    "CompleteTask",
    "CreateProject",
    "CreateSquad",
    "CreateTask",
    "RegisterUser",
    "RegisterUserIfAbsent",
    "RenameUser",
    "SetPasswordHash",
    "TransferSquadOwnership",
    "VerifyEmail",
]
