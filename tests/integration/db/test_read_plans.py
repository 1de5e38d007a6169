"""No read of the house reads a whole table, however large it is; and each takes its fixed number of statements."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from hashlib import md5
from typing import Any, Final
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from db.database import Database
from db.queries import squads, statistics, tasks, users
from db.queries.choosing_users import UserFilter
from db.queries.tasks import TaskFilter
from domain.values import PlanTier, Priority, TaskStatus
from tests.integration.db.filling import fill

MILLION: Final = 1_000_000


def known(kind: str, number: int) -> UUID:
    """Give the id that filling made."""
    return UUID(md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Read:
    """A read, how many statements it may take, and how many of what it gives it has to find here."""

    name: str
    read: Callable[[AsyncSession], Awaitable[Any]]
    statements: int = 1
    finds: int = 1


PAID = UserFilter(plan_tiers=(PlanTier.PRO, PlanTier.ENTERPRISE))
VERIFIED = UserFilter(is_active=True, email_verified=True)
RARE = UserFilter(is_active=False, email_verified=False, plan_tiers=(PlanTier.ENTERPRISE,))
BIG, SMALL, MEMBER = known("project", 1), known("project", 77), known("member", 40)
SQUAD, BIG_SQUAD, USER = known("squad", 5), known("squad", 2), known("user", 30)
AFTER, TASK = known("user", 500), known("task", 95)

USERS = [
    Read("user by id", lambda s: users.get_user(s, USER)),
    Read("user by e-mail", lambda s: users.get_user_by_email(s, "30@EXAMPLE.org")),
    Read("newest user", users.get_newest_user),
    Read("users", lambda s: users.get_users(s, limit=20), finds=20),
    Read("most users at once", lambda s: users.get_users(s, limit=1_000), finds=1_000),
    Read("users, oldest first", lambda s: users.get_users(s, order="oldest", limit=20), finds=20),
    Read("users by name", lambda s: users.get_users(s, order="name", limit=20), finds=20),
    Read("active and verified", lambda s: users.get_users(s, VERIFIED, limit=20), finds=20),
    Read("inactive", lambda s: users.get_users(s, UserFilter(is_active=False), limit=20), finds=20),
    Read("pro or enterprise", lambda s: users.get_users(s, PAID, limit=20), finds=20),
    Read("pro or enterprise by name", lambda s: users.get_users(s, PAID, order="name", limit=20), finds=20),
    Read("rare users", lambda s: users.get_users(s, RARE, limit=20)),
    Read("rare users by name", lambda s: users.get_users(s, RARE, order="name", limit=20)),
    Read("users of a name", lambda s: users.get_users(s, UserFilter(name="AB"), limit=20), finds=20),
    Read("users of a name by name", lambda s: users.get_users(s, UserFilter(name="ab"), order="name", limit=20)),
    Read("page of users", lambda s: users.get_users_paginated(s, page=3), 2, 20),
    Read("page far behind", lambda s: users.get_users_paginated(s, page=400), 2, 20),
    Read("page of those who pay", lambda s: users.get_users_paginated(s, where=PAID, page=2), 2, 20),
    Read("page of the active by name", lambda s: users.get_users_paginated(s, where=VERIFIED, order="name"), 2, 20),
    Read("users after one", lambda s: users.get_users_after(s, AFTER), 2, 20),
    Read("users after one, oldest first", lambda s: users.get_users_after(s, AFTER, order="oldest"), 2, 20),
    Read("users after one by name", lambda s: users.get_users_after(s, AFTER, order="name", where=PAID), 2, 1),
    Read("count of users", users.count_users),
    Read("count of the active and verified", lambda s: users.count_users(s, VERIFIED)),
    Read("count of a name", lambda s: users.count_users(s, UserFilter(name="ab"))),
]
SQUADS = [
    Read("squad with members", lambda s: squads.get_squad_with_members(s, SQUAD), 2),
    Read("squad with both", lambda s: squads.get_squad_with_members_and_projects(s, SQUAD), 3),
    Read("squads with both", squads.get_squads_with_members_and_projects, 3, 20),
    Read("squads after one", lambda s: squads.get_squads_with_members_and_projects(s, SQUAD), 3),
    Read("squads of their owner", lambda s: squads.get_squads_of_user(s, USER, "owner")),
    Read("squads where one is seated", lambda s: squads.get_squads_of_user(s, known("user", 33), "seated")),
    Read("squads of a user", lambda s: squads.get_squads_of_user(s, known("user", 33))),
]
TASKS = [
    Read("pending and high", lambda s: tasks.get_tasks(s, pending(Priority.HIGH)), 1, 20),
    Read("pending and rare", lambda s: tasks.get_tasks(s, pending(Priority.URGENT))),
    Read("pending and high after one", lambda s: tasks.get_tasks(s, pending(Priority.HIGH), TASK), 2, 20),
    Read("of a project", lambda s: tasks.get_tasks(s, TaskFilter(project_id=SMALL)), 1, 20),
    Read("of a large project", lambda s: tasks.get_tasks(s, TaskFilter(project_id=BIG)), 1, 20),
    Read(
        "of a large project after one", lambda s: tasks.get_tasks(s, TaskFilter(project_id=BIG), known("task", 95)), 2
    ),
    Read("done in a large project", lambda s: tasks.get_tasks(s, in_project(BIG, TaskStatus.COMPLETED)), 1, 20),
    Read("high in a large project", lambda s: tasks.get_tasks(s, TaskFilter(project_id=BIG, priority=Priority.HIGH))),
    Read("pending and high in one", lambda s: tasks.get_tasks(s, pending(Priority.HIGH, project_id=BIG)), 1, 0),
    Read("of a squad", lambda s: tasks.get_tasks(s, TaskFilter(squad_id=SQUAD)), 1, 20),
    Read("of a large squad", lambda s: tasks.get_tasks(s, TaskFilter(squad_id=BIG_SQUAD)), 1, 20),
    Read("most of a large squad", lambda s: tasks.get_tasks(s, TaskFilter(squad_id=BIG_SQUAD), None, 1_000), 1, 1_000),
    Read("of a member", lambda s: tasks.get_tasks(s, TaskFilter(assignee_id=known("member", 41)))),
    Read("of a member in a squad", lambda s: tasks.get_tasks(s, TaskFilter(assignee_id=MEMBER, squad_id=SQUAD)), 1, 0),
]
NUMBERS = [
    Read("average of a squad", lambda s: statistics.average_feedback_rating(s, SQUAD)),
    Read("average of all", statistics.average_feedback_rating),
    Read("averages by squad", statistics.squad_feedback_ratings, 1, 20),
    Read("averages after one", lambda s: statistics.squad_feedback_ratings(s, SQUAD)),
    Read("member counts", statistics.squad_member_counts, 1, 20),
    Read("most member counts", lambda s: statistics.squad_member_counts(s, None, 1_000), 1, 1_000),
    Read("open tasks by member", lambda s: statistics.open_task_counts(s, SQUAD)),
    Read("usage", lambda s: statistics.get_usage(s, SQUAD), 1, 12),
    Read("usage of a metric", lambda s: statistics.get_usage(s, SQUAD, metric="calls"), 1, 6),
    Read("usage of a month", lambda s: statistics.get_usage(s, SQUAD, month=date(2026, 3, 9)), 1, 2),
]
READS = [*USERS, *SQUADS, *TASKS, *NUMBERS]


def pending(priority: Priority, project_id: UUID | None = None) -> TaskFilter:
    return TaskFilter(status=TaskStatus.PENDING, priority=priority, project_id=project_id)


def in_project(project_id: UUID, status: TaskStatus) -> TaskFilter:
    return TaskFilter(project_id=project_id, status=status)


@pytest_asyncio.fixture(scope="module")
async def filled(module_database_url: str):
    """A house of 100,000 tasks."""
    database = patient(module_database_url)
    await fill(database, tasks=100_000)
    yield database
    await database.close()


def patient(url: str) -> Database:
    """Build a database's object that waits as long as filling takes."""
    return Database(url=url, statement_timeout_seconds=500)


async def plans(database: Database, read: Read) -> tuple[Any, list[list[dict[str, Any]]]]:
    """Give what a read found, and all nodes of the plan of each statement that it sent."""
    sent: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        sent.append((arguments[2], arguments[3]))

    async with database.sessions() as session:
        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        try:
            found = await read.read(session)
        finally:
            event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        connection = await session.connection()
        found_plans = []
        for statement, parameters in sent:
            explained = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            nodes = [explained.scalar_one()[0]["Plan"]]
            for node in nodes:
                nodes.extend(node.get("Plans", ()))
            found_plans.append(nodes)
    return found, found_plans


async def assert_looks_up(database: Database, read: Read) -> None:
    found, found_plans = await plans(database, read)

    assert len(found_plans) == read.statements
    whole = [node for nodes in found_plans for node in nodes if node["Node Type"] == "Seq Scan"]
    assert whole == [], read.name
    many = getattr(found, "items", found)
    assert (len(many) if isinstance(many, list | tuple) else int(many is not None)) >= read.finds


@pytest.mark.parametrize("read", READS, ids=lambda read: read.name)
async def test_read_looks_up_by_index_in_its_fixed_number_of_statements(filled, read):
    await assert_looks_up(filled, read)


async def test_pending_tasks_of_all_projects_come_from_their_own_index(filled):
    """PostgreSQL 18 would skip through another one, which costs more the more squads there are."""
    for read in TASKS[:3]:
        _, found_plans = await plans(filled, read)
        assert "ix_tasks_pending" in {node.get("Index Name") for node in found_plans[-1]}, read.name


@pytest.mark.long_faults
@pytest.mark.timeout(600)
async def test_reads_look_up_by_index_among_a_million_tasks(database_url):
    large = patient(database_url)
    await fill(large, tasks=MILLION)

    for read in READS:
        await assert_looks_up(large, read)
    await large.close()
