"""Find the open tasks of a squad: disbanding it counts or cancels them, however many were ever done.

The new index is built beside the running release, which uses it in place of the old one, that it begins like.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OLD, NEW = "ix_tasks_squad_id", "ix_tasks_squad_id_status"


def upgrade() -> None:
    _replace(OLD, NEW, ["squad_id", "status"])


def downgrade() -> None:
    _replace(NEW, OLD, ["squad_id"])


def _replace(old: str, new: str, columns: list[str]) -> None:
    with op.get_context().autocommit_block():
        # A build that broke off leaves an invalid index behind.
        op.drop_index(new, table_name="tasks", if_exists=True, postgresql_concurrently=True)
        op.create_index(new, "tasks", columns, postgresql_concurrently=True)
        op.drop_index(old, table_name="tasks", if_exists=True, postgresql_concurrently=True)
