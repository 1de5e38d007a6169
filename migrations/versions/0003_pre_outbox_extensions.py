"""Rows of the outbox can be added with extensions, such as the trace state.

Must not break the previous release's code, which still runs while this does: it goes on with `outbox_row_1`, and its
relay publishes extensions already.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW = """
    "recorded_at" timestamptz, "time" timestamptz, "sequence" bigint, "slot" smallint, "event_id" uuid, "topic" text,
    "key" bytea, "type" text, "source" text, "correlation_id" text, "causation_id" text, "traceparent" text,
    "dataschema" text, "content_type" text, "extensions" jsonb, "header_names" text[], "header_values" bytea[],
    "body" bytea
"""


def upgrade() -> None:
    op.execute(f"CREATE TYPE outbox_row_2 AS ({ROW})")


def downgrade() -> None:
    op.execute("DROP TYPE outbox_row_2")
