"""The map of the program: which rule answers which command."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.commands import (
    Command,
    CompleteTask,
    CreateProject,
    CreateSquad,
    CreateTask,
    RegisterUser,
    TransferSquadOwnership,
)
from domain.events import Event
from domain.given import Given
from domain.handlers import projects, squads, tasks, users
from domain.reads import Reads
from domain.state import State


@dataclass(frozen=True, slots=True)
class Rule:
    """How a command is answered.

    Args:
        read: declares what the command needs, into the batch's `Reads`.
        decide: changes the state and returns what happened, or raises `Rejected` before it changes anything.
    """

    # The command's own type differs from row to row, and a dict cannot say so.
    read: Callable[[Any, Reads], None]
    decide: Callable[[State, Any, Given], Sequence[Event]]


RULES: Final[Mapping[type[Command], Rule]] = {
    RegisterUser: Rule(users.read_for_register_user, users.register_user),
    CreateSquad: Rule(squads.read_for_create_squad, squads.create_squad),
    TransferSquadOwnership: Rule(squads.read_for_transfer_squad_ownership, squads.transfer_squad_ownership),
    CreateProject: Rule(projects.read_for_create_project, projects.create_project),
    CreateTask: Rule(tasks.read_for_create_task, tasks.create_task),
    CompleteTask: Rule(tasks.read_for_complete_task, tasks.complete_task),
}
