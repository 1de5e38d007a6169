"""Times of inbox and outbox rows travel as microseconds since 1970, and ids of events as a literal (ADR 0002).

Must not break the previous release's code, which still runs while this does: it goes on with the types before these.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROW_TYPES = {
    "inbox_row_3": """
        "source" text, "command_id" text, "type" text, "key" text, "correlation_id" text,
        "payload_hash" bytea, "outcome" text, "outcome_revision" integer, "outcome_final" boolean,
        "outcome_body" bytea, "event_ids" text, "topic" text, "partition" integer, "record_offset" bigint,
        "ce_time" bigint, "decided_at" bigint, "recorded_at" bigint, "reply_to" text
    """,
    "outbox_row_3": """
        "recorded_at" bigint, "time" bigint, "sequence" bigint, "slot" smallint, "event_id" uuid,
        "topic" text, "key" bytea, "type" text, "source" text, "correlation_id" text, "causation_id" text,
        "traceparent" text, "dataschema" text, "content_type" text, "extensions" jsonb, "header_names" text[],
        "header_values" bytea[], "body" bytea
    """,
}


def upgrade() -> None:
    for name, columns in ROW_TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({columns})")


def downgrade() -> None:
    for name in ROW_TYPES:
        op.execute(f"DROP TYPE {name}")
