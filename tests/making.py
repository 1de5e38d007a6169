"""Builders for tests: commands with defaults, records as Kafka gives them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from consumers.records import LOG_APPEND_TIME, Batch, Partition
from domain import commands
from messages.codec import encode_command

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
NOON_MICROSECONDS = 1_777_896_000_000_000
TOPIC = "squad.commands"
SOURCE = "/tests"


def new_id() -> str:
    """Give a fresh id."""
    return str(uuid4())


def register_user(user_id: str | None = None, email: str | None = None, name: str = "Ada") -> commands.RegisterUser:
    user_id = user_id or new_id()
    return commands.RegisterUser(user_id=user_id, email=email or f"{user_id}@example.org", name=name)


def rename_user(user_id: str, name: str) -> commands.RenameUser:
    return commands.RenameUser(user_id=user_id, name=name)


def create_squad(
    user_id: str, squad_id: str | None = None, name: str = "Squad", roles: tuple[str, ...] = ("developer",)
) -> commands.CreateSquad:
    return commands.CreateSquad(squad_id=squad_id or new_id(), user_id=user_id, name=name, roles=roles)


def transfer(squad_id: str, new_owner_id: str) -> commands.TransferSquadOwnership:
    return commands.TransferSquadOwnership(squad_id=squad_id, new_owner_id=new_owner_id)


def create_project(squad_id: str, project_id: str | None = None, name: str = "Project") -> commands.CreateProject:
    return commands.CreateProject(squad_id=squad_id, project_id=project_id or new_id(), name=name)


def create_task(squad_id: str, project_id: str, task_id: str | None = None) -> commands.CreateTask:
    return commands.CreateTask(squad_id=squad_id, project_id=project_id, task_id=task_id or new_id(), title="Task")


def complete_task(squad_id: str, task_id: str) -> commands.CompleteTask:
    return commands.CompleteTask(squad_id=squad_id, task_id=task_id)


def complete_project_tasks(squad_id: str, project_id: str) -> commands.CompleteProjectTasks:
    return commands.CompleteProjectTasks(squad_id=squad_id, project_id=project_id)


def onboard(user_id: str, email: str, squad_id: str, *, squad_optional: bool) -> commands.OnboardUser:
    """Give the command that writes two streams."""
    return commands.OnboardUser(
        squad_id=squad_id,
        user_id=user_id,
        email=email,
        name="Ada",
        squad_name="Squad",
        roles=("developer",),
        squad_optional=squad_optional,
    )


@dataclass(slots=True)
class FakeRecord:
    """A record that never was on a broker; the processor sees no difference."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    topic: str = TOPIC
    partition: int = 0
    offset: int = 0
    timestamp: int = field(default_factory=lambda: round(NOON.timestamp() * 1000))
    timestamp_type: int = LOG_APPEND_TIME


def record(
    command: commands.Command,
    *,
    command_id: str | None = None,
    source: str = SOURCE,
    time: datetime = NOON,
    extensions: Mapping[str, str] | None = None,
    **place: Any,
) -> FakeRecord:
    """Give a command as a record."""
    key, value, headers = encode_command(
        command, command_id=command_id or new_id(), source=source, time=time, extensions=extensions
    )
    return FakeRecord(key=key, value=value, headers=headers, **place)


def structured(
    command: commands.Command, *, command_id: str, time: datetime = NOON, **extensions: object
) -> FakeRecord:
    """Give a command as a record in structured mode."""
    binary = record(command, command_id=command_id, time=time)
    event = {name[3:]: (value or b"").decode() for name, value in binary.headers if name.startswith("ce_")}
    event |= {"data": json.loads(binary.value or b"")} | extensions
    headers = [("content-type", b"application/cloudevents+json")]
    return FakeRecord(key=binary.key, value=json.dumps(event).encode(), headers=headers)


def batch(records: Iterable[FakeRecord], *, begin: int = 0, partition: int = 0, generation: int = 1) -> Batch:
    """Give records of one partition as a batch, their offsets counted on from `begin`."""
    numbered = list(records)
    for offset, each in enumerate(numbered, begin):
        each.partition, each.offset = partition, offset
    return Batch(numbered, {Partition(TOPIC, partition): begin}, generation)


def read_row(row: Sequence[Any]) -> tuple[Any, ...]:
    """Give an outbox row as the relay reads it: id, times, correlation and causation are encoded by the server."""
    return tuple(
        each.encode() if place in {3, 6, 8, 9, 12} and each is not None else each for place, each in enumerate(row)
    )
