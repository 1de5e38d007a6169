"""Which type name belongs to which class: the two closed tables of the wire."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from pydantic import ConfigDict, TypeAdapter, with_config

from domain import commands, events
from messages.outcome import CommandOutcome


@dataclass(frozen=True, slots=True)
class MessageType:
    """One type of message.

    Args:
        name: CloudEvents `type`, `<stream>.<verb>.v<N>`.
        form: the class in `domain/`, or the outcome.
        revision: counts compatible changes of the schema.
        dataschema: the URI that names the schema, with the revision.
        required: how many fields have no default.
        decode: from a record's value; raises `pydantic.ValidationError`.
        encode: to the bytes of a record's value.
    """

    name: str
    form: type[Any]
    revision: int
    dataschema: str
    required: int
    adapter: TypeAdapter[Any]
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


def _command(name: str, form: type[Any], *, revision: int = 1) -> MessageType:
    """Unknown fields of commands are refused: a typo must not be dropped."""
    strict = with_config(ConfigDict(extra="forbid", strict=True))(form)
    # Defaults are left out, so that a field which a later release adds does not change the hash of a retried command.
    return _build(name, strict, revision, leave_out_defaults=True)


def _event(name: str, form: type[Any], *, revision: int = 1) -> MessageType:
    """Optional fields without a value are absent."""
    return _build(name, form, revision, leave_out_none=True)


def _build(
    name: str, form: type[Any], revision: int, *, leave_out_defaults: bool = False, leave_out_none: bool = False
) -> MessageType:
    adapter = TypeAdapter(form)
    to_json = adapter.serializer.to_json
    return MessageType(
        name=name,
        form=form,
        revision=revision,
        adapter=adapter,
        dataschema=f"urn:agent-squad:schema:{name}:{revision}",
        required=sum(each.default is each.default_factory is MISSING for each in fields(form)),
        decode=adapter.validator.validate_json,
        encode=lambda value: to_json(value, exclude_defaults=leave_out_defaults, exclude_none=leave_out_none),
    )


COMMANDS: Final[Mapping[str, MessageType]] = {
    message.name: message
    for message in (
        _command("user.register.v1", commands.RegisterUser),
        _command("user.register-if-absent.v1", commands.RegisterUserIfAbsent),
        _command("user.rename.v1", commands.RenameUser),
        _command("user.change-plan-tier.v1", commands.ChangePlanTier),
        _command("user.verify-email.v1", commands.VerifyEmail),
        _command("user.change-email.v1", commands.ChangeEmail),
        _command("user.set-password-hash.v1", commands.SetPasswordHash),
        _command("user.deactivate.v1", commands.DeactivateUser),
        _command("user.reactivate.v1", commands.ReactivateUser),
        _command("user.delete.v1", commands.DeleteUser),
        _command("squad.create.v1", commands.CreateSquad),
        _command("squad.onboard-user.v1", commands.OnboardUser),
        _command("squad.rename.v1", commands.RenameSquad),
        _command("squad.describe.v1", commands.DescribeSquad),
        _command("squad.transfer-ownership.v1", commands.TransferSquadOwnership),
        _command("squad.disband.v1", commands.DisbandSquad),
        _command("squad.add-members.v1", commands.AddSquadMembers),
        _command("squad.change-member-role.v1", commands.ChangeMemberRole),
        _command("squad.seat-user.v1", commands.SeatUser),
        _command("squad.unseat-user.v1", commands.UnseatUser),
        _command("squad.remove-member.v1", commands.RemoveMember),
        _command("squad.create-project.v1", commands.CreateProject),
        _command("squad.rename-project.v1", commands.RenameProject),
        _command("squad.archive-project.v1", commands.ArchiveProject),
        _command("squad.reopen-project.v1", commands.ReopenProject),
        _command("squad.create-task.v1", commands.CreateTask),
        _command("squad.create-tasks.v1", commands.CreateTasks),
        _command("squad.assign-task.v1", commands.AssignTask),
        _command("squad.change-task-priority.v1", commands.ChangeTaskPriority),
        _command("squad.start-task.v1", commands.StartTask),
        _command("squad.complete-task.v1", commands.CompleteTask),
        _command("squad.cancel-task.v1", commands.CancelTask),
        _command("squad.reopen-task.v1", commands.ReopenTask),
        _command("squad.complete-project-tasks.v1", commands.CompleteProjectTasks),
        _command("squad.submit-feedback.v1", commands.SubmitFeedback),
        _command("squad.withdraw-feedback.v1", commands.WithdrawFeedback),
        _command("squad.record-usage.v1", commands.RecordUsage),
        _command("squad.set-usage-limit.v1", commands.SetUsageLimit),
    )
}

EVENTS: Final[Mapping[type[Any], MessageType]] = {
    message.form: message
    for message in (
        _event("user.registered.v1", events.UserRegistered),
        _event("user.renamed.v1", events.UserRenamed),
        _event("user.plan-tier-changed.v1", events.PlanTierChanged),
        _event("user.email-verified.v1", events.EmailVerified),
        _event("user.email-changed.v1", events.EmailChanged),
        _event("user.password-hash-set.v1", events.PasswordHashSet),
        _event("user.deactivated.v1", events.UserDeactivated),
        _event("user.reactivated.v1", events.UserReactivated),
        _event("user.deleted.v1", events.UserDeleted),
        _event("squad.created.v1", events.SquadCreated),
        _event("squad.renamed.v1", events.SquadRenamed),
        _event("squad.described.v1", events.SquadDescribed),
        _event("squad.ownership-transferred.v1", events.SquadOwnershipTransferred),
        _event("squad.disbanded.v1", events.SquadDisbanded),
        _event("squad.members-added.v1", events.SquadMembersAdded),
        _event("squad.member-role-changed.v1", events.MemberRoleChanged),
        _event("squad.user-seated.v1", events.UserSeated),
        _event("squad.user-unseated.v1", events.UserUnseated),
        _event("squad.member-removed.v1", events.MemberRemoved),
        _event("squad.project-created.v1", events.ProjectCreated),
        _event("squad.project-renamed.v1", events.ProjectRenamed),
        _event("squad.project-archived.v1", events.ProjectArchived),
        _event("squad.project-reopened.v1", events.ProjectReopened),
        _event("squad.task-created.v1", events.TaskCreated),
        _event("squad.tasks-created.v1", events.TasksCreated),
        _event("squad.task-assigned.v1", events.TaskAssigned),
        _event("squad.task-priority-changed.v1", events.TaskPriorityChanged),
        _event("squad.task-started.v1", events.TaskStarted),
        _event("squad.task-completed.v1", events.TaskCompleted),
        _event("squad.task-cancelled.v1", events.TaskCancelled),
        _event("squad.task-reopened.v1", events.TaskReopened),
        _event("squad.project-tasks-completed.v1", events.ProjectTasksCompleted),
        _event("squad.feedback-submitted.v1", events.FeedbackSubmitted),
        _event("squad.feedback-withdrawn.v1", events.FeedbackWithdrawn),
        _event("squad.usage-recorded.v1", events.UsageRecorded),
        _event("squad.usage-limit-set.v1", events.UsageLimitSet),
        _event("squad.usage-limit-crossed.v1", events.UsageLimitCrossed),
    )
}

OUTCOME: Final = _build("squad.command-outcome.v1", CommandOutcome, 1)

DEAD_LETTER_TYPE: Final = "squad.dead-letter.v1"
"""What the outbox calls a dead letter; on the topic it is the original record, with reason headers."""

COMMAND_TYPES: Final[Mapping[type[Any], MessageType]] = {message.form: message for message in COMMANDS.values()}
"""The commands by class, for those who send them."""
