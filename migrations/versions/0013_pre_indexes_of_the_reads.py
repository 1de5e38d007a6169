"""Serve the guide's reads by index, with no more to write: what a read needs replaces what none needs.

New indexes are built beside the running release, which looks for nothing that only the old ones give.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

CHOSEN_BY = ["is_active", "email_verified", "plan_tier"]
KNOWN = sa.text("erased_at IS NULL")

Indexes = Mapping[str, tuple[str, list[Any], dict[str, Any]]]

NEW: Indexes = {
    "ix_users_known": (
        "users",
        ["created_at", "id"],
        {"postgresql_include": CHOSEN_BY, "postgresql_where": KNOWN},
    ),
    "ix_users_name": (
        "users",
        [sa.text('lower(name) COLLATE "C"'), "id"],
        {"postgresql_include": ["name", *CHOSEN_BY], "postgresql_where": KNOWN},
    ),
    "ix_tasks_project_id_status_created_at": ("tasks", ["project_id", "status", "created_at"], {}),
    "ix_tasks_pending": (
        "tasks",
        ["priority", "created_at"],
        {"postgresql_where": sa.text("status = 'pending'")},
    ),
    "ix_feedback_squad_id_rating": (
        "feedback",
        ["squad_id"],
        {"postgresql_include": ["rating", "withdrawn_at"]},
    ),
}
OLD: Indexes = {
    "ix_users_created_at": ("users", ["created_at", "id"], {}),
    "ix_tasks_project_id_status": ("tasks", ["project_id", "status", "priority", "created_at"], {}),
    "ix_tasks_status_priority": ("tasks", ["status", "priority", "created_at"], {}),
    "ix_feedback_squad_id": ("feedback", ["squad_id"], {}),
}


def upgrade() -> None:
    _replace(OLD, NEW)


def downgrade() -> None:
    _replace(NEW, OLD)


def _replace(old: Indexes, new: Indexes) -> None:
    with op.get_context().autocommit_block():
        for name, (table, columns, more) in new.items():
            # A build that broke off leaves an invalid index behind.
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, postgresql_concurrently=True, **more)
        for name, (table, _, _) in old.items():
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
