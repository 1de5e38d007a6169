"""Index assignees and seated users only where there are any: most tasks and seats have none, and each entry is written.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NEW = (
    ("ix_tasks_assigned", "tasks", ["assignee_id", "status"], "assignee_id IS NOT NULL"),
    ("ix_squad_members_seated", "squad_members", ["user_id"], "user_id IS NOT NULL"),
)
OLD = (
    ("ix_tasks_assignee_id", "tasks", ["assignee_id", "status"]),
    ("ix_squad_members_user_id", "squad_members", ["user_id"]),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, columns, where in NEW:
            # A build that broke off leaves an invalid index behind.
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, postgresql_where=sa.text(where), postgresql_concurrently=True)
        for name, table, _ in OLD:
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, columns in OLD:
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, postgresql_concurrently=True)
        for name, table, _, _ in NEW:
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
