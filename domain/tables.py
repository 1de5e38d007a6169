"""The map of the program: which rule answers which command."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain import commands
from domain.answers import Decided
from domain.commands import Command
from domain.events import Event
from domain.given import Given
from domain.handlers import (
    feedback,
    members,
    onboarding,
    profiles,
    progress,
    projects,
    registration,
    squads,
    tasks,
    usage,
    user_life,
)
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
        tell: gives what happened, once it is known what the sweep changed or counted, and may change what was loaded;
            after a sweep that only counted, it may still raise `Rejected` before it does.
    """

    read: Callable[[Any, Reads], None]
    sweep: Callable[[State, Any, Given], Sweep]
    tell: Callable[[State, Any, Given, Swept], Sequence[Event]]


RULES: Final[Mapping[type[Command], Rule | SweepRule]] = {
    commands.RegisterUser: Rule(registration.read_for_register_user, registration.register_user),
    commands.RegisterUserIfAbsent: Rule(registration.read_for_register_user, registration.register_user_if_absent),
    commands.RenameUser: Rule(profiles.read_for_user, profiles.rename_user),
    commands.ChangePlanTier: Rule(profiles.read_for_user, profiles.change_plan_tier),
    commands.VerifyEmail: Rule(profiles.read_for_user, profiles.verify_email),
    commands.ChangeEmail: Rule(profiles.read_for_change_email, profiles.change_email),
    commands.SetPasswordHash: Rule(profiles.read_for_user, profiles.set_password_hash),
    commands.DeactivateUser: Rule(user_life.read_for_deactivate_user, user_life.deactivate_user),
    commands.ReactivateUser: Rule(user_life.read_for_reactivate_user, user_life.reactivate_user),
    commands.DeleteUser: Rule(user_life.read_for_delete_user, user_life.delete_user),
    commands.CreateSquad: Rule(squads.read_for_create_squad, squads.create_squad),
    commands.OnboardUser: Rule(onboarding.read_for_onboard_user, onboarding.onboard_user),
    commands.RenameSquad: Rule(squads.read_for_rename_squad, squads.rename_squad),
    commands.DescribeSquad: Rule(squads.read_for_describe_squad, squads.describe_squad),
    commands.TransferSquadOwnership: Rule(squads.read_for_transfer_squad_ownership, squads.transfer_squad_ownership),
    commands.DisbandSquad: SweepRule(
        squads.read_for_disband_squad, squads.sweep_disbanded_squad, squads.tell_squad_disbanded
    ),
    commands.AddSquadMembers: Rule(members.read_for_add_squad_members, members.add_squad_members),
    commands.ChangeMemberRole: Rule(members.read_for_change_member_role, members.change_member_role),
    commands.SeatUser: Rule(members.read_for_seat_user, members.seat_user),
    commands.UnseatUser: Rule(members.read_for_unseat_user, members.unseat_user),
    commands.RemoveMember: SweepRule(
        members.read_for_remove_member, members.sweep_removed_members_tasks, members.tell_member_removed
    ),
    commands.CreateProject: Rule(projects.read_for_create_project, projects.create_project),
    commands.RenameProject: Rule(projects.read_for_rename_project, projects.rename_project),
    commands.ArchiveProject: SweepRule(
        projects.read_for_archive_project, projects.sweep_archived_project, projects.tell_project_archived
    ),
    commands.ReopenProject: Rule(projects.read_for_reopen_project, projects.reopen_project),
    commands.CreateTask: Rule(tasks.read_for_create_task, tasks.create_task),
    commands.CreateTasks: Rule(tasks.read_for_create_tasks, tasks.create_tasks),
    commands.AssignTask: Rule(tasks.read_for_assign_task, tasks.assign_task),
    commands.ChangeTaskPriority: Rule(tasks.read_for_change_task_priority, tasks.change_task_priority),
    commands.StartTask: Rule(progress.read_for_start_task, progress.start_task),
    commands.CompleteTask: Rule(progress.read_for_complete_task, progress.complete_task),
    commands.CancelTask: Rule(progress.read_for_cancel_task, progress.cancel_task),
    commands.ReopenTask: Rule(progress.read_for_reopen_task, progress.reopen_task),
    commands.CompleteProjectTasks: SweepRule(
        progress.read_for_complete_project_tasks, progress.sweep_project_tasks, progress.tell_project_tasks_completed
    ),
    commands.SubmitFeedback: Rule(feedback.read_for_submit_feedback, feedback.submit_feedback),
    commands.WithdrawFeedback: Rule(feedback.read_for_withdraw_feedback, feedback.withdraw_feedback),
    commands.RecordUsage: Rule(usage.read_for_usage, usage.record_usage),
    commands.SetUsageLimit: Rule(usage.read_for_usage, usage.set_usage_limit),
}
