"""Let operators ask for a held row to be diverted.

The running release does not know of it, and leaves such a row held until the new one leads.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

OLD, NEW = "release_requested OR skip_requested", "release_requested OR skip_requested OR divert_requested"


def upgrade() -> None:
    # Beside what follows it is committed at once, and has to bear being done again.
    op.execute("ALTER TABLE held ADD COLUMN IF NOT EXISTS divert_requested boolean DEFAULT false NOT NULL")
    _replace("ix_held_requested", "ix_held_asked_for", NEW)


def downgrade() -> None:
    _replace("ix_held_asked_for", "ix_held_requested", OLD)
    op.drop_column("held", "divert_requested")


def _replace(old: str, new: str, where: str) -> None:
    with op.get_context().autocommit_block():
        # A build that broke off leaves an invalid index behind.
        op.drop_index(new, table_name="held", if_exists=True, postgresql_concurrently=True)
        op.create_index(new, "held", ["position"], postgresql_where=sa.text(where), postgresql_concurrently=True)
        op.drop_index(old, table_name="held", if_exists=True, postgresql_concurrently=True)
