"""Commands by the hundred thousand: two templates with ids put in, written in batches, so that little time is spent."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer

from app import broker
from app.settings import Settings
from bench.draining import consume_to_end
from bench.ground import SOURCE, send
from db.database import Database
from domain import commands
from messages.codec import encode_command
from messages.keys import partition_of

Record = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""Key, value, headers."""

OWNERS: Final = (str(UUID(int=1, version=4)), str(UUID(int=2, version=4)))
PLACE: Final = str(UUID(int=3, version=4))
OTHER: Final = str(UUID(int=4, version=4))
"""Both stand in templates where each command has ids of its own: its key, and another."""


def squad_id(number: int) -> str:
    """Give the id of a squad."""
    return str(UUID(int=(number + 1) << 80, version=4))


async def register_owners(settings: Settings, database: Database) -> None:
    """Register, through the consumer itself, the users whom all squads belong to."""
    users = [commands.RegisterUser(user_id=each, email=f"{each}@example.org", name="Owner") for each in OWNERS]
    await send(settings, users, name="owners")
    await consume_to_end(settings, database)


def create_and_transfer(number: int, *, first: int = 0) -> Iterator[Record]:
    """Give so many commands, pairs of them: a squad is created, and transferred; each causes one event.

    Args:
        number: of commands.
        first: number of the first squad.
    """
    create = commands.CreateSquad(squad_id=PLACE, user_id=OWNERS[0], name="Squad", roles=("developer", "tester"))
    transfer = commands.TransferSquadOwnership(squad_id=PLACE, new_owner_id=OWNERS[1])
    for each in range(number // 2):
        squad = squad_id(first + each)
        yield from_template(create, key=squad, command_id=f"create-{squad}")
        yield from_template(transfer, key=squad, command_id=f"transfer-{squad}")


def create_projects(squads: Sequence[str], *, name: str) -> Iterator[Record]:
    """Give commands that are always applied and cause one event each: a new project in each of these squads.

    Args:
        squads: their ids; one that comes twice gets two projects.
        name: begins the commands' ids.
    """
    command = commands.CreateProject(squad_id=PLACE, project_id=OTHER, name="Project")
    for number, squad in enumerate(squads):
        yield from_template(command, key=squad, other=str(uuid4()), command_id=f"{name}-{number}")


_TEMPLATES: dict[commands.Command, Record] = {}


def from_template(command: commands.Command, *, key: str, command_id: str, other: str = OTHER) -> Record:
    """Give a command with ids put in, as a record; the same command is encoded once.

    Args:
        command: whose key is `PLACE`.
        key: of the record, in place of `PLACE`.
        command_id: of the command.
        other: in place of `OTHER`.
    """
    if command not in _TEMPLATES:
        _TEMPLATES[command] = encode_command(command, command_id=PLACE, source=SOURCE, time=datetime.now(UTC))
    _, value, headers = _TEMPLATES[command]
    own = {"ce_id": command_id.encode(), "ce_correlationid": command_id.encode()}
    place, encoded = PLACE.encode(), key.encode()
    return (
        encoded,
        value.replace(place, encoded).replace(OTHER.encode(), other.encode()),
        [(name, own.get(name) or content.replace(place, encoded)) for name, content in headers],
    )


async def write(settings: Settings, records: Iterator[Record]) -> int:
    """Write records to the topic of commands, in order for each key; give their mean size in bytes."""
    topic, count, size = settings.topic("commands"), 0, 0
    async with broker.open_producer(settings) as producer:
        writers = [_Writer(producer, topic, number) for number in range(settings.topic_partitions)]
        for key, value, headers in records:
            await writers[partition_of(key, settings.topic_partitions)].add(key, value, headers)
            count += 1
            size += len(key) + len(value) + sum(len(name) + len(content) for name, content in headers)
        await asyncio.gather(*(writer.flush() for writer in writers))
    return round(size / max(1, count))


class _Writer:
    """Fills batches of one partition; one is under way at a time."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partition: int) -> None:
        self._producer = producer
        self._place = (topic, partition)
        self._batch = producer.create_batch()

    async def add(self, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        if self._batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            await self.flush()
            self._batch.append(key=key, value=value, timestamp=None, headers=headers)

    async def flush(self) -> None:
        batch, self._batch = self._batch, self._producer.create_batch()
        if batch.record_count():
            await (await self._producer.send_batch(batch, self._place[0], partition=self._place[1]))
