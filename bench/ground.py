"""The same ground for every contender: a stack, a topic of commands, a database copied from one seeded template."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app import broker, wiring
from app.settings import Settings
from bench.draining import consume_to_end
from db.database import Database
from domain import commands
from messages.codec import encode_command
from stack import Stack

NUMBERS = count(1)
USERS = 1_000
SOURCE = "/bench"


@dataclass(frozen=True, slots=True)
class Ground:
    """What the contenders share.

    Args:
        stack: PostgreSQL and Kafka.
        settings: of the seeded template database, and of the topics.
        commands: how many measured commands the topic has, after the seeding ones.
        first_offsets: by partition, where the measured ones begin.
        load: what the measured commands are like, for the results.
    """

    stack: Stack
    settings: Settings
    commands: int
    first_offsets: dict[int, int]
    load: dict[str, Any]


class UnfitGroundError(Exception):
    """Preparing did not make what was planned: what would be measured means nothing."""


def new_id(chance: random.Random) -> str:
    """Give an id that the seed decides."""
    return str(UUID(int=chance.getrandbits(128), version=4))


async def administer(stack: Stack, statement: str) -> None:
    """Run a statement outside any transaction."""
    engine = create_async_engine(stack.database_url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()


@asynccontextmanager
async def fresh_database(ground: Ground) -> AsyncIterator[Settings]:
    """Give settings of a copy of the seeded database, dropped at the end."""
    name = f"bench_{os.getpid()}_{next(NUMBERS)}"
    url = make_url(ground.settings.database_url)
    await administer(ground.stack, f"CREATE DATABASE {name} TEMPLATE {url.database}")
    try:
        yield ground.settings.model_copy(
            update={
                "database_url": url.set(database=name).render_as_string(hide_password=False),
                "consumer_group": f"bench-{name}",
            }
        )
    finally:
        await administer(ground.stack, f"DROP DATABASE {name} WITH (FORCE)")


async def make(stack: Stack, *, partitions: int = 6) -> Settings:
    """Make a migrated database and topics of its own; `clean_up` removes both."""
    name = f"bench_{os.getpid()}_{next(NUMBERS)}"
    await administer(stack, f"CREATE DATABASE {name}")
    url = make_url(stack.database_url).set(database=name)
    settings = Settings(
        database_url=url.render_as_string(hide_password=False),
        kafka_bootstrap_servers=stack.bootstrap_servers,
        topic_prefix=f"{name}.",
        topic_partitions=partitions,
        consumer_group=name,
    )
    await asyncio.to_thread(wiring.migrate, settings)
    await wiring.make_partitions(settings)
    await broker.create_topics(settings)
    return settings


@asynccontextmanager
async def open_ground(stack: Stack, *, partitions: int = 6) -> AsyncIterator[Settings]:
    """Give settings of a migrated database and topics, removed at the end."""
    settings = await make(stack, partitions=partitions)
    try:
        yield settings
    finally:
        await clean_up(stack, settings)


@asynccontextmanager
async def prepare(stack: Stack, *, number: int, seed: int) -> AsyncIterator[Ground]:
    """Give the template database and the topic, removed at the end.

    Seeding commands (users, squads, projects, tasks) go through the consumer itself; the measured ones follow them in
    the same topic: 40 % create a squad, 20 % transfer one, 40 % complete a task.
    """
    seeding, measured = plan(random.Random(seed), number)  # noqa: S311 - reproducible on purpose
    load = {"create": "40 %", "transfer": "20 %", "complete": "40 %"}
    async with lay(stack, seeding, measured, load) as ground:
        yield ground


@asynccontextmanager
async def lay(
    stack: Stack,
    seeding: Sequence[Sequence[commands.Command]],
    measured: Sequence[commands.Command],
    load: Mapping[str, Any],
) -> AsyncIterator[Ground]:
    """Give the template database and the topic, removed at the end.

    Args:
        stack: where.
        seeding: commands that are applied beforehand, in stages that wait for each other: "seed-0" and so on.
        measured: those that follow: "measured".
        load: what these are like; what is found out of them is added.
    """
    async with open_ground(stack) as settings:
        yield await _lay(stack, settings, seeding, measured, load)


async def _lay(
    stack: Stack,
    settings: Settings,
    seeding: Sequence[Sequence[commands.Command]],
    measured: Sequence[commands.Command],
    load: Mapping[str, Any],
) -> Ground:
    for number_of_stage, stage in enumerate(seeding):
        await send(settings, stage, name=f"seed-{number_of_stage}")
        await _apply_all(settings, len(stage))
    async with wiring.open_database(settings) as database:
        async with database.transaction() as session:
            await session.execute(text("TRUNCATE inbox, outbox"))
        async with database.sessions() as session:
            found = await session.execute(text("SELECT partition, next_offset FROM checkpoints"))
            first_offsets = {row[0]: row[1] for row in found}
        async with database.transaction() as session:
            await session.execute(text("TRUNCATE checkpoints"))
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("VACUUM ANALYZE"))
    size = await send(settings, measured, name="measured")
    return Ground(stack, settings, len(measured), first_offsets, {**load, "bytes a command": size, "key skew": "none"})


def plan(chance: random.Random, number: int) -> tuple[list[list[commands.Command]], list[commands.Command]]:
    """Give the seeding commands, in stages that wait for each other, and the measured ones."""
    users = [new_id(chance) for _ in range(USERS)]
    squads = [new_id(chance) for _ in range(max(200, number // 10))]
    projects = {squad: new_id(chance) for squad in squads}
    tasks = [(chance.choice(squads), new_id(chance)) for _ in range(number * 2 // 5)]
    owners = dict.fromkeys(squads, users[0])
    measured: list[commands.Command] = [commands.CompleteTask(squad_id=squad, task_id=task) for squad, task in tasks]
    measured += [_create(chance, users) for _ in range(number * 2 // 5)]
    measured += [
        commands.TransferSquadOwnership(squad_id=chance.choice(squads), new_owner_id=chance.choice(users[1:]))
        for _ in range(number - len(measured))
    ]
    chance.shuffle(measured)
    seeding: list[list[commands.Command]] = [
        [commands.RegisterUser(user_id=user, email=f"{user}@example.org", name="User") for user in users],
        [commands.CreateSquad(squad_id=squad, user_id=owner, name="Squad") for squad, owner in owners.items()],
        [commands.CreateProject(squad_id=squad, project_id=each, name="Project") for squad, each in projects.items()],
        [
            commands.CreateTask(squad_id=squad, project_id=projects[squad], task_id=task, title="Task")
            for squad, task in tasks
        ],
    ]
    return seeding, measured


def _create(chance: random.Random, users: Sequence[str]) -> commands.CreateSquad:
    return commands.CreateSquad(
        squad_id=new_id(chance), user_id=chance.choice(users), name="Squad", roles=("developer", "tester")
    )


async def send(settings: Settings, planned: Sequence[commands.Command], *, name: str) -> int:
    """Send commands and wait for every acknowledgement.

    Args:
        settings: where to.
        planned: what.
        name: begins their ids; each call has another, for an id that comes twice is the same command.

    Returns:
        The mean size of a record in bytes: key, value and headers.
    """
    size = 0
    async with broker.open_producer(settings) as producer:
        waiting = []
        for number, command in enumerate(planned):
            key, value, headers = encode_command(
                command, command_id=f"{name}-{number}", source=SOURCE, time=datetime.now(UTC)
            )
            size += len(key) + len(value) + sum(len(header) + len(content) for header, content in headers)
            waiting.append(await producer.send(settings.topic("commands"), value, key=key, headers=headers))
        await asyncio.gather(*waiting)
    return round(size / max(1, len(planned)))


async def _apply_all(settings: Settings, number: int) -> None:
    async with wiring.open_database(settings) as database:
        counts, _, _ = await consume_to_end(settings, database)
    if counts["applied"] != number:
        raise UnfitGroundError(f"of {number} seeding commands these became: {dict(counts)}")


async def reset_checkpoints(database: Database, settings: Settings, first_offsets: dict[int, int]) -> None:
    """Let a group begin where the measured commands begin."""
    async with database.transaction() as session:
        for partition, offset in first_offsets.items():
            await session.execute(
                text("INSERT INTO checkpoints (consumer_group, topic, partition, next_offset) VALUES (:g, :t, :p, :o)"),
                {"g": settings.consumer_group, "t": settings.topic("commands"), "p": partition, "o": offset},
            )


async def clean_up(stack: Stack, settings: Settings) -> None:
    """Remove what `make` made: the stack may be somebody else's."""
    name = make_url(settings.database_url).database
    await administer(stack, f"DROP DATABASE {name} WITH (FORCE)")
    async with broker.open_admin(settings) as admin:
        await admin.delete_topics([plan.name for plan in broker.plan_topics(settings)])
