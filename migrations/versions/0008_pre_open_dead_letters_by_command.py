"""Find the open dead letters of a command: the inbox forgets no command that has one.

Built beside the running release, which neither needs it nor minds it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NAME = "ix_dead_letters_source_command_id"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # A build that broke off leaves an invalid index behind.
        op.drop_index(NAME, table_name="dead_letters", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NAME,
            "dead_letters",
            ["source", "command_id"],
            postgresql_where=sa.text("state IN ('open', 'redriving')"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, table_name="dead_letters", if_exists=True, postgresql_concurrently=True)
