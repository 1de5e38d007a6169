"""Held rows, one line per position; what operators ask of them.

The previous release has the table but no code that uses it, so it is made anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("held")
    op.create_table(
        "held",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("release_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("skip_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_held_reason_given")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_held")),
    )
    op.create_index("ix_held_slot_position", "held", ["slot", "position"], unique=False)
    op.create_index(
        "ix_held_requested",
        "held",
        ["position"],
        unique=False,
        postgresql_where=sa.text("release_requested OR skip_requested"),
    )


def downgrade() -> None:
    op.drop_table("held")
    op.create_table(
        "held",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_held_reason_given")),
        sa.PrimaryKeyConstraint("topic", "key", "position", name=op.f("pk_held")),
    )
    op.create_index("ix_held_position", "held", ["position"], unique=False)
