"""Let held rows say for which topic or partition they wait, so that the relay tries them again by itself.

The running release takes such rows for held ones that an operator has to release; it keeps their order.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Beside what follows it is committed at once, and has to bear being done again.
    op.execute("ALTER TABLE held ADD COLUMN IF NOT EXISTS awaits text")
    with op.get_context().autocommit_block():
        # A build that broke off leaves an invalid index behind.
        op.drop_index("ix_held_awaits", table_name="held", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "ix_held_awaits",
            "held",
            ["awaits", "position"],
            postgresql_where=sa.text("awaits IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index("ix_held_awaits", table_name="held")
    op.drop_column("held", "awaits")
