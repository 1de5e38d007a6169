"""Every command there is: a closed union."""

from domain.commands.projects import CreateProject
from domain.commands.squads import CreateSquad, TransferSquadOwnership
from domain.commands.tasks import CompleteTask, CreateTask
from domain.commands.users import RegisterUser

Command = RegisterUser | CreateSquad | TransferSquadOwnership | CreateProject | CreateTask | CompleteTask

__all__ = [
    "Command",
    "CompleteTask",
    "CreateProject",
    "CreateSquad",
    "CreateTask",
    "RegisterUser",
    "TransferSquadOwnership",
]
