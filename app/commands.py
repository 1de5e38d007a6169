"""Sending a command by hand, and looking up what became of one."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import uuid4

from pydantic import ValidationError
from sqlalchemy import select

from app import broker, wiring
from app.settings import Settings
from db.database import Database
from db.models import InboxCommand
from domain.commands import Command
from messages.codec import encode_command, tell_faults
from messages.envelope import parse_time
from messages.masking import read_masked
from messages.refusals import RefusedError
from messages.registry import COMMANDS, OUTCOME

POLL_SECONDS = 0.05
"""How often the inbox is asked for an outcome."""


class InputError(Exception):
    """What the user gave cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command ready to be sent."""

    command: Command
    id: str
    source: str
    time: datetime


def build(type_name: str, data: str, *, command_id: str | None, time: str | None, source: str) -> Prepared:
    """Check a command against its schema.

    Raises:
        InputError: unknown type, data that does not fit, or a malformed time.
    """
    message_type = COMMANDS.get(type_name)
    if message_type is None:
        raise InputError(f"unknown command type {type_name}; known: {', '.join(COMMANDS)}")
    try:
        command = message_type.decode(data.encode())
        moment = datetime.now(UTC) if time is None else parse_time(time)
    except ValidationError as error:
        faults = (f"{field}: {fault}" for field, fault in tell_faults(error).items())
        raise InputError(f"data does not fit {type_name}: {'; '.join(faults)}") from None
    except RefusedError as refusal:
        raise InputError(refusal.detail) from None
    return Prepared(command, command_id or str(uuid4()), source, moment)


async def send(settings: Settings, prepared: Prepared, *, wait_seconds: float = 0) -> dict[str, Any]:
    """Send a command and, if asked, wait for its outcome.

    Args:
        settings: where to.
        prepared: what `build` gave.
        wait_seconds: how long to wait; 0: not at all.

    Returns:
        Its id and place; with the outcome's fields, where it came in time.
    """
    key, value, headers = encode_command(
        prepared.command, command_id=prepared.id, source=prepared.source, time=prepared.time
    )
    topic = settings.topic("commands")
    async with broker.open_producer(settings) as producer:
        place = await producer.send_and_wait(topic, value, key=key, headers=headers)
    sent = {"id": prepared.id, "source": prepared.source, "partition": place.partition, "offset": place.offset}
    return sent | (await _wait_for_outcome(settings, prepared, wait_seconds) or {}) if wait_seconds else sent


async def _wait_for_outcome(settings: Settings, prepared: Prepared, seconds: float) -> dict[str, Any] | None:
    deadline = monotonic() + seconds
    async with wiring.open_database(settings, pool_size=1) as database:
        while (outcome := await _find(database, prepared.source, prepared.id)) is None:
            if monotonic() > deadline:
                return None
            await asyncio.sleep(POLL_SECONDS)
    return outcome


async def show(settings: Settings, source: str, command_id: str) -> dict[str, Any] | None:
    """Give a command's current outcome and where it was read; `None` when it was not decided."""
    async with wiring.open_database(settings, pool_size=1) as database:
        return await _find(database, source, command_id)


async def _find(database: Database, source: str, command_id: str) -> dict[str, Any] | None:
    async with database.sessions() as session:
        row = await session.scalar(
            select(InboxCommand).where(InboxCommand.source == source, InboxCommand.command_id == command_id)
        )
    if row is None:
        return None
    body: dict[str, Any] = read_masked(OUTCOME.name, row.outcome_body)
    place = {"topic": row.topic, "partition": row.partition, "offset": row.record_offset}
    return body | place | {"decided_at": row.decided_at.isoformat()}
