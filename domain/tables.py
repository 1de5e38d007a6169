"""The map of the program: which rule answers which command."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain import commands
from domain.answers import Decided
from domain.commands import Command
from domain.events import Event
from domain.given import Given
from domain.handlers import profiles, projects, registration, squads, tasks
from domain.reads import Reads
from domain.state import State
from domain.sweeps import Sweep, Swept


@dataclass(frozen=True, slots=True)
class Rule:
    """How a command is answered.

    Args:
        read: declares what the command needs, into the batch's `Reads`.
        decide: changes the state and gives what happened, or raises `Rejected` before it changes anything.
    """

    # The command's own type differs from row to row, and a dict cannot say so.
    read: Callable[[Any, Reads], None]
    decide: Callable[[State, Any, Given], Decided]


@dataclass(frozen=True, slots=True)
class SweepRule:
    """How a command is answered that changes rows nobody loaded, however many.

    Args:
        read: declares what the command needs, into the batch's `Reads`.
        sweep: says what is to be changed, or raises `Rejected`; changes nothing itself.
        tell: gives what happened, once it is known what the sweep changed.
    """

    read: Callable[[Any, Reads], None]
    sweep: Callable[[State, Any, Given], Sweep]
    tell: Callable[[Any, Given, Swept], Sequence[Event]]


RULES: Final[Mapping[type[Command], Rule | SweepRule]] = {
    commands.RegisterUser: Rule(registration.read_for_register_user, registration.register_user),
    commands.RegisterUserIfAbsent: Rule(registration.read_for_register_user, registration.register_user_if_absent),
    commands.RenameUser: Rule(profiles.read_for_user, profiles.rename_user),
    commands.ChangePlanTier: Rule(profiles.read_for_user, profiles.change_plan_tier),
    commands.VerifyEmail: Rule(profiles.read_for_user, profiles.verify_email),
    commands.ChangeEmail: Rule(profiles.read_for_change_email, profiles.change_email),
    commands.SetPasswordHash: Rule(profiles.read_for_user, profiles.set_password_hash),
    commands.CreateSquad: Rule(squads.read_for_create_squad, squads.create_squad),
    commands.TransferSquadOwnership: Rule(squads.read_for_transfer_squad_ownership, squads.transfer_squad_ownership),
    commands.CreateProject: Rule(projects.read_for_create_project, projects.create_project),
    commands.CreateTask: Rule(tasks.read_for_create_task, tasks.create_task),
    commands.CompleteTask: Rule(tasks.read_for_complete_task, tasks.complete_task),
    commands.CompleteProjectTasks: SweepRule(
        tasks.read_for_complete_project_tasks, tasks.sweep_project_tasks, tasks.tell_project_tasks_completed
    ),
}
