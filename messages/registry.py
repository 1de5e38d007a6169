"""Which type name belongs to which class: the two closed tables of the wire."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
        decode: from a record's value; raises `pydantic.ValidationError`.
        encode: to the bytes of a record's value.
    """

    name: str
    form: type[Any]
    revision: int
    dataschema: str
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
        _command("squad.create.v1", commands.CreateSquad),
        _command("squad.transfer-ownership.v1", commands.TransferSquadOwnership),
        _command("squad.create-project.v1", commands.CreateProject),
        _command("squad.create-task.v1", commands.CreateTask),
        _command("squad.complete-task.v1", commands.CompleteTask),
        _command("squad.complete-project-tasks.v1", commands.CompleteProjectTasks),
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
        _event("squad.created.v1", events.SquadCreated),
        _event("squad.ownership-transferred.v1", events.SquadOwnershipTransferred),
        _event("squad.project-created.v1", events.ProjectCreated),
        _event("squad.task-created.v1", events.TaskCreated),
        _event("squad.task-completed.v1", events.TaskCompleted),
        _event("squad.project-tasks-completed.v1", events.ProjectTasksCompleted),
    )
}

OUTCOME: Final = _build("squad.command-outcome.v1", CommandOutcome, 1)

DEAD_LETTER_TYPE: Final = "squad.dead-letter.v1"
"""What the outbox calls a dead letter; on the topic it is the original record, with reason headers."""

COMMAND_TYPES: Final[Mapping[type[Any], MessageType]] = {message.form: message for message in COMMANDS.values()}
"""The commands by class, for those who send them."""
