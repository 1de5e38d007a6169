"""How parked records travel, and which commands they are; the table was empty until now.

Must not break the previous release's code, which still runs while this does: it parks nothing and looks at nothing that
is parked, so that it lets later commands of a parked stream overtake.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

PARKED = """
    "stream" uuid, "number" bigint, "topic" text, "partition" integer, "record_offset" bigint,
    "timestamp" timestamptz, "key" bytea, "value" bytea, "header_names" text[], "header_values" bytea[],
    "source" text, "command_id" text, "type" text
"""


def upgrade() -> None:
    for name in ("source", "command_id", "type"):
        op.add_column("parked", sa.Column(name, sa.Text(), nullable=True))
    op.add_column(
        "parked",
        sa.Column("parked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.execute(f"CREATE TYPE parked_row_1 AS ({PARKED})")


def downgrade() -> None:
    op.execute("DROP TYPE parked_row_1")
    op.drop_column("parked", "parked_at")
    for name in ("type", "command_id", "source"):
        op.drop_column("parked", name)
