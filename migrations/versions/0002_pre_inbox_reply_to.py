"""The inbox remembers to which topic a command's outcome goes besides.

Must not break the previous release's code, which still runs while this does: the column is nullable, and that code goes
on with `inbox_row_1`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW = """
    "source" text, "command_id" text, "type" text, "key" text, "correlation_id" text, "payload_hash" bytea,
    "outcome" text, "outcome_revision" integer, "outcome_final" boolean, "outcome_body" bytea, "event_ids" uuid[],
    "topic" text, "partition" integer, "record_offset" bigint, "ce_time" timestamptz, "decided_at" timestamptz,
    "recorded_at" timestamptz, "reply_to" text
"""


def upgrade() -> None:
    comment = "the topic to which its outcome goes too"
    op.add_column("inbox", sa.Column("reply_to", sa.Text(), nullable=True, comment=comment))
    op.execute(f"CREATE TYPE inbox_row_2 AS ({ROW})")


def downgrade() -> None:
    op.execute("DROP TYPE inbox_row_2")
    op.drop_column("inbox", "reply_to")
