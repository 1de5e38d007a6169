"""Fills every table that is read, with rows like a house's: most are old and done, few are what is asked for."""

from typing import Final

from sqlalchemy import text

from db.database import Database

FILL: Final = (
    """
    INSERT INTO users (id, email, email_key, name, password_hash, is_active, email_verified, plan_tier, created_at,
                       erased_at, version)
    SELECT md5('user' || n)::uuid, n || '@example.org', n || '@example.org', initcap(left(md5('name' || n), 14)),
           repeat('x', 97), n % 20 <> 0, n % 3 <> 0,
           CASE WHEN n % 500 = 0 THEN 'enterprise' WHEN n % 10 = 0 THEN 'pro' ELSE 'free' END,
           now() - n * interval '1 minute', CASE WHEN n % 100 = 7 THEN now() END, 1
    FROM generate_series(1, :tasks / 10) n
    """,
    """
    INSERT INTO squads (id, user_id, name, status, created_at, version)
    SELECT md5('squad' || n)::uuid, md5('user' || n * 3)::uuid, 'Squad', 'active', now() - n * interval '1 minute', 1
    FROM generate_series(1, :tasks / 100) n
    """,
    """
    INSERT INTO squad_members (id, squad_id, user_id, role, created_at, removed_at)
    SELECT md5('member' || n)::uuid, md5('squad' || n % (:tasks / 100) + 1)::uuid,
           CASE WHEN n % 3 = 0 THEN md5('user' || n)::uuid END, 'developer', now() - n * interval '1 minute',
           CASE WHEN n % 10 = 0 THEN now() END
    FROM generate_series(1, :tasks / 20) n
    """,
    """
    INSERT INTO projects (id, squad_id, name, status, created_at)
    SELECT md5('project' || n)::uuid, md5('squad' || n % (:tasks / 100) + 1)::uuid, 'Project', 'active',
           now() - n * interval '1 minute'
    FROM generate_series(1, :tasks / 50) n
    """,
    # Every tenth task is the first project's, which is far larger than any other.
    """
    INSERT INTO tasks (id, squad_id, project_id, title, status, priority, assignee_id, created_at)
    SELECT md5('task' || n)::uuid, md5('squad' || project % (:tasks / 100) + 1)::uuid,
           md5('project' || project)::uuid, 'Task',
           CASE WHEN n % 25 = 1 THEN 'pending' WHEN n % 40 = 2 THEN 'in_progress' WHEN n % 50 = 3 THEN 'cancelled'
                ELSE 'completed' END,
           CASE WHEN n % 7 = 0 THEN 'high' WHEN n % 97 = 0 THEN 'urgent' ELSE 'normal' END,
           CASE WHEN n % 2 = 0 THEN md5('member' || n % (:tasks / 20) + 1)::uuid END, now() - n * interval '1 second'
    FROM generate_series(1, :tasks) n,
         LATERAL (SELECT CASE WHEN n % 10 = 5 THEN 1 ELSE n % (:tasks / 50) + 1 END AS project) p
    """,
    """
    INSERT INTO feedback (id, squad_id, rating, comment, created_at, withdrawn_at)
    SELECT md5('feedback' || n)::uuid, md5('squad' || n % (:tasks / 100) + 1)::uuid, n % 5 + 1,
           repeat('Well done. ', 10), now(), CASE WHEN n % 10 = 0 THEN now() END
    FROM generate_series(1, :tasks / 5) n
    """,
    """
    INSERT INTO usage_metrics (id, squad_id, metric, period, value)
    SELECT gen_random_uuid(), md5('squad' || n)::uuid, metric, CAST(month AS date), 1
    FROM generate_series(1, :tasks / 100) n, unnest(ARRAY['tokens', 'calls']) metric,
         generate_series(timestamp '2026-01-01', timestamp '2026-06-01', interval '1 month') month
    """,
)
"""Ids can be foretold: `md5('user' || n)`, and so on; foreign keys fit as they are made."""


async def fill(database: Database, *, tasks: int) -> None:
    """Store so many tasks, and of all else in proportion; of users a tenth."""
    async with database.transaction() as session:
        # Checking a million foreign keys takes longer than the rows.
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in FILL:
            await session.execute(text(statement), {"tasks": tasks})
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE"))
