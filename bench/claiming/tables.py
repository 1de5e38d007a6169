"""Tables for reads: users, squads and what belongs to them, filled by the server itself."""

import hashlib
from typing import Final
from uuid import UUID

from sqlalchemy import text

from bench import filling
from db.database import Database

USERS_OF_A_SQUAD: Final = 5
PROJECTS_OF_A_SQUAD: Final = 2
TASKS_OF_A_SQUAD: Final = 25
"""How many rows there are for each squad; members are as many as users."""

_ID: Final = "CAST(md5(CAST(n AS text)) AS uuid)"
_SERIES: Final = "FROM generate_series(0, CAST(:number AS integer) - 1) n"

FILL_USERS: Final = text(
    f"""
    INSERT INTO users (id, email, email_key, name, is_active, email_verified, plan_tier, created_at, version)
    SELECT {_ID}, 'user' || n || '@example.org', 'user' || n || '@example.org', 'Agent ' || n, n % 10 <> 0, n % 2 = 0,
           (ARRAY['free', 'pro', 'enterprise'])[n % 3 + 1], now() - n * interval '1 minute', 1
    {_SERIES}
    """
)
FILL_SQUADS: Final = text(
    f"""
    INSERT INTO squads (id, user_id, name, status, created_at, version)
    SELECT {_ID}, {_ID}, 'Squad ' || n, 'active', now() - n * interval '1 minute', 1 {_SERIES}
    """
)
FILL_MEMBERS: Final = text(
    f"""
    INSERT INTO squad_members (id, squad_id, role, created_at)
    SELECT {_ID}, CAST(md5(CAST(n / {USERS_OF_A_SQUAD} AS text)) AS uuid), 'developer', now() {_SERIES}
    """
)
FILL_PROJECTS: Final = text(
    f"""
    INSERT INTO projects (id, squad_id, name, status, created_at)
    SELECT {_ID}, CAST(md5(CAST(n / {PROJECTS_OF_A_SQUAD} AS text)) AS uuid), 'Project ' || n, 'active', now() {_SERIES}
    """
)
FILL_TASKS: Final = text(
    f"""
    INSERT INTO tasks (id, squad_id, project_id, title, status, priority, created_at)
    SELECT {_ID}, CAST(md5(CAST(n % :projects / {PROJECTS_OF_A_SQUAD} AS text)) AS uuid),
           CAST(md5(CAST(n % CAST(:projects AS integer) AS text)) AS uuid), 'Task ' || n,
           (ARRAY['pending', 'in_progress', 'completed', 'cancelled'])[n / :projects % 4 + 1],
           (ARRAY['low', 'normal', 'high', 'urgent'])[n % 4 + 1], now() - n * interval '1 second'
    {_SERIES}
    """
)
FILL_FEEDBACK: Final = text(
    f"""
    INSERT INTO feedback (id, squad_id, rating, created_at)
    SELECT {_ID}, {_ID}, n % 5 + 1, now() {_SERIES}
    """
)


def id_of(number: int) -> UUID:
    """Give the id of a row, counted from 0 in its table."""
    return UUID(hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest())


async def fill(database: Database, *, squads: int) -> None:
    """Fill the tables.

    Args:
        database: migrated, empty.
        squads: how many there are; what belongs to them is as many times as many.
    """
    projects = squads * PROJECTS_OF_A_SQUAD
    await filling.fill(database, FILL_USERS, number=squads * USERS_OF_A_SQUAD)
    await filling.fill(database, FILL_SQUADS, number=squads)
    await filling.fill(database, FILL_MEMBERS, number=squads * USERS_OF_A_SQUAD)
    await filling.fill(database, FILL_PROJECTS, number=projects)
    await filling.fill(database, FILL_TASKS, number=squads * TASKS_OF_A_SQUAD, projects=projects)
    await filling.fill(database, FILL_FEEDBACK, number=squads)
    await filling.vacuum(database)
