"""The guide's reads through asynchronous sessions, and the very same through synchronous ones."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from time import perf_counter
from typing import Any, Final, cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from bench.claiming.tables import PROJECTS_OF_A_SQUAD, USERS_OF_A_SQUAD, id_of
from db.database import Database
from db.queries.choosing_users import UserFilter
from db.queries.squads import get_squad_with_members, get_squads_with_members_and_projects
from db.queries.statistics import average_feedback_rating, squad_member_counts
from db.queries.tasks import TaskFilter, get_tasks
from db.queries.users import (
    count_users,
    get_newest_user,
    get_user,
    get_user_by_email,
    get_users,
    get_users_paginated,
)
from domain.values import PlanTier, Priority, TaskStatus

Read = Callable[[AsyncSession], Awaitable[object]]

WANTED: Final = 20
"""Rows of a list."""

SLOW_SECONDS: Final = 0.02
SLOW: Final = text(f"SELECT pg_sleep({SLOW_SECONDS})")


class WaitedError(Exception):
    """A read waited for something else than its session: it cannot be made synchronously."""


def plan(chance: random.Random, number: int, *, squads: int) -> list[Read]:
    """Give so many reads, each of the guide's as often as another.

    Args:
        chance: decides what they are about.
        number: how many.
        squads: as many as the tables were filled with.
    """

    def of_each() -> Iterator[Read]:
        user, squad = chance.randrange(squads * USERS_OF_A_SQUAD), id_of(chance.randrange(squads))
        project, page = id_of(chance.randrange(squads * PROJECTS_OF_A_SQUAD)), chance.randint(1, 10)
        verified = UserFilter(is_active=True, email_verified=True)
        paying = UserFilter(plan_tiers=(PlanTier.PRO, PlanTier.ENTERPRISE))
        urgent = TaskFilter(status=TaskStatus.PENDING, priority=Priority.HIGH)
        yield lambda session: get_user(session, id_of(user))
        yield lambda session: get_user_by_email(session, f"user{user}@example.org")
        yield lambda session: get_users(session, limit=WANTED)
        yield lambda session: get_users(session, verified, limit=WANTED)
        yield lambda session: get_users(session, paying, limit=WANTED)
        yield lambda session: get_newest_user(session)
        yield lambda session: get_users_paginated(session, page, WANTED)
        yield lambda session: get_tasks(session, urgent, per_page=WANTED)
        yield lambda session: get_tasks(session, TaskFilter(project_id=project), per_page=WANTED)
        yield lambda session: get_squad_with_members(session, squad)
        yield lambda session: get_squads_with_members_and_projects(session, squad, per_page=WANTED)
        yield lambda session: count_users(session)
        yield lambda session: average_feedback_rating(session)
        yield lambda session: squad_member_counts(session, squad, per_page=WANTED)

    found: list[Read] = []
    while len(found) < number:
        found += of_each()
    chance.shuffle(found)
    return found[:number]


async def read_slowly(session: AsyncSession) -> None:
    """Read something that takes the server its time."""
    await session.execute(SLOW)


class Synchronous:
    """Has of an asynchronous session what the reads call, and never waits: so the same code makes the same statements.

    Args:
        session: what they are made with.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def scalar(self, statement: Any) -> Any:  # noqa: ANN401 - as SQLAlchemy's own
        return self._session.scalar(statement)

    async def scalars(self, statement: Any) -> Any:  # noqa: ANN401 - as SQLAlchemy's own
        return self._session.scalars(statement)

    async def execute(self, statement: Any) -> Any:  # noqa: ANN401 - as SQLAlchemy's own
        return self._session.execute(statement)


def read_synchronously(database: Database, read: Read) -> object:
    """Make one read through a synchronous session of its own.

    Raises:
        WaitedError: it waited, which a synchronous session never asks it to.
    """
    with database.sync_sessions() as session:
        steps = read(cast("AsyncSession", Synchronous(session))).__await__()
        try:
            next(steps)
        except StopIteration as done:
            return done.value
        raise WaitedError


async def read_asynchronously(database: Database, read: Read) -> object:
    """Make one read through an asynchronous session of its own."""
    async with database.sessions() as session:
        return await read(session)


async def rate_asynchronously(database: Database, reads: Sequence[Read], *, in_flight: int) -> float:
    """Give how many reads a second are made by so many tasks, each of which makes one after another."""
    left = iter(reads)

    async def work() -> None:
        for read in left:
            await read_asynchronously(database, read)

    began = perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())
    return len(reads) / (perf_counter() - began)


def rate_synchronously(database: Database, reads: Sequence[Read]) -> float:
    """Give how many reads a second are made one after another, which takes one connection."""
    began = perf_counter()
    for read in reads:
        read_synchronously(database, read)
    return len(reads) / (perf_counter() - began)
