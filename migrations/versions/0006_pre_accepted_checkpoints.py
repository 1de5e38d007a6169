"""Checkpoints remember when an operator moved them.

The previous release's code neither reads nor writes the new column.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "checkpoints",
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True, comment="when an operator last moved it"),
    )


def downgrade() -> None:
    op.drop_column("checkpoints", "accepted_at")
