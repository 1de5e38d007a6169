"""Shards of the relay never overlap; and a cursor knows the timeline it was written on.

The previous release writes no slots, and leaves the timeline alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("relay_cursors", sa.Column("timeline", sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f("ck_relay_cursors_slots_in_range"),
        "relay_cursors",
        "0 <= slot_from AND slot_from <= slot_to AND slot_to <= 1023",
    )
    # By hand: Alembic's own takes no expressions.
    op.execute(
        "ALTER TABLE relay_cursors ADD CONSTRAINT ex_relay_cursors_slots"
        " EXCLUDE USING gist (int4range(slot_from, slot_to, '[]') WITH &&)"
    )


def downgrade() -> None:
    op.drop_constraint("ex_relay_cursors_slots", "relay_cursors")
    op.drop_constraint(op.f("ck_relay_cursors_slots_in_range"), "relay_cursors")
    op.drop_column("relay_cursors", "timeline")
