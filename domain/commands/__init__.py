"""Every command there is: a closed union."""

from domain.commands.projects import CreateProject
from domain.commands.squads import CreateSquad, TransferSquadOwnership
from domain.commands.tasks import CompleteProjectTasks, CompleteTask, CreateTask
from domain.commands.users import RegisterUser, RegisterUserIfAbsent

Command = (
    RegisterUser
    | RegisterUserIfAbsent
    | CreateSquad
    | TransferSquadOwnership
    | CreateProject
    | CreateTask
    | CompleteTask
    | CompleteProjectTasks
)

__all__ = [
    "Command",
    "CompleteProjectTasks",
    "CompleteTask",
    "CreateProject",
    "CreateSquad",
    "CreateTask",
    "RegisterUser",
    "RegisterUserIfAbsent",
    "TransferSquadOwnership",
]
