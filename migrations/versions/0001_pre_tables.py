"""All tables of the first release.

There is no previous release whose code could break.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


class Named(UserDefinedType[object]):
    """A PostgreSQL type that SQLAlchemy has no class for."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return self.name


ROW_TYPES = {
    "users_row_1": """
        "id" uuid, "email" text, "email_key" text, "name" text, "is_active" boolean, "email_verified" boolean,
        "plan_tier" text, "created_at" timestamptz, "deleted_at" timestamptz, "erased_at" timestamptz,
        "version" bigint
    """,
    "squads_row_1": """
        "id" uuid, "user_id" uuid, "name" text, "description" text, "status" text, "created_at" timestamptz,
        "version" bigint
    """,
    "squad_members_row_1": """
        "id" uuid, "squad_id" uuid, "user_id" uuid, "role" text, "name" text, "created_at" timestamptz,
        "removed_at" timestamptz
    """,
    "projects_row_1": """
        "id" uuid, "squad_id" uuid, "name" text, "status" text, "created_at" timestamptz
    """,
    "tasks_row_1": """
        "id" uuid, "squad_id" uuid, "project_id" uuid, "title" text, "status" text, "priority" text,
        "assignee_id" uuid, "created_at" timestamptz, "completed_at" timestamptz
    """,
    "inbox_row_1": """
        "source" text, "command_id" text, "type" text, "key" text, "correlation_id" text,
        "payload_hash" bytea, "outcome" text, "outcome_revision" integer, "outcome_final" boolean,
        "outcome_body" bytea, "event_ids" uuid[], "topic" text, "partition" integer, "record_offset" bigint,
        "ce_time" timestamptz, "decided_at" timestamptz, "recorded_at" timestamptz
    """,
    "dead_letters_row_1": """
        "id" uuid, "topic" text, "partition" integer, "record_offset" bigint, "timestamp" timestamptz,
        "key" bytea, "value" bytea, "header_names" text[], "header_values" bytea[], "source" text,
        "command_id" text, "type" text, "reason" text, "detail" text
    """,
    "outbox_row_1": """
        "recorded_at" timestamptz, "time" timestamptz, "sequence" bigint, "slot" smallint, "event_id" uuid,
        "topic" text, "key" bytea, "type" text, "source" text, "correlation_id" text, "causation_id" text,
        "traceparent" text, "dataschema" text, "content_type" text, "header_names" text[],
        "header_values" bytea[], "body" bytea
    """,
}
"""How rows travel from this release's code to the server (db/rows.py)."""


def upgrade() -> None:
    for name, columns in ROW_TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({columns})")
    op.execute(sa.schema.CreateSequence(sa.Sequence("outbox_position", data_type=sa.BigInteger(), cache=1)))
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_table(
        "checkpoints",
        sa.Column("consumer_group", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("last_timestamp", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_checksum", sa.BigInteger(), nullable=True),
        sa.Column("caught_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("consumer_group", "topic", "partition", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "controls",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_controls")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("record_offset", sa.BigInteger(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("header_names", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("header_values", postgresql.ARRAY(sa.LargeBinary()), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("command_id", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("replay_count", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'redriving', 'redriven', 'discarded')", name=op.f("ck_dead_letters_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    op.create_index("ix_dead_letters_state", "dead_letters", ["state", "first_at"], unique=False)
    op.create_index(
        "uq_dead_letters_topic_partition_record_offset_timestamp",
        "dead_letters",
        ["topic", "partition", "record_offset", "timestamp"],
        unique=True,
    )
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
    op.create_table(
        "inbox",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("outcome_revision", sa.Integer(), nullable=False),
        sa.Column("outcome_final", sa.Boolean(), nullable=False),
        sa.Column("outcome_body", sa.LargeBinary(), nullable=False),
        sa.Column("event_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("record_offset", sa.BigInteger(), nullable=False),
        sa.Column("ce_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "decided_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="the record's Kafka time, by which it was decided",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the transaction that decided it began",
        ),
        sa.PrimaryKeyConstraint("source", "command_id", name=op.f("pk_inbox")),
    )
    op.create_index("ix_inbox_ce_time", "inbox", ["ce_time"], unique=False)
    op.create_table(
        "inbox_floor",
        sa.Column("only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("pruned_before", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("only_row", name=op.f("ck_inbox_floor_one_row")),
        sa.PrimaryKeyConstraint("only_row", name=op.f("pk_inbox_floor")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "position",
            sa.BigInteger(),
            server_default=sa.text("nextval('outbox_position')"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("txid", Named("xid8"), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("causation_id", sa.Text(), nullable=True),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("dataschema", sa.Text(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("extensions", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("header_names", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("header_values", postgresql.ARRAY(sa.LargeBinary()), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_outbox")),
        postgresql_partition_by="RANGE (position)",
    )
    op.create_index("ix_outbox_txid_position", "outbox", ["txid", "position"], unique=False)
    op.create_table(
        "processes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.create_table(
        "relay_cursors",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot_from", sa.SmallInteger(), nullable=False),
        sa.Column("slot_to", sa.SmallInteger(), nullable=False),
        sa.Column("previous", Named("pg_snapshot"), nullable=False),
        sa.Column("current", Named("pg_snapshot"), nullable=True),
        sa.Column("high", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("system_identifier", sa.BigInteger(), nullable=True),
        sa.Column("database_oid", sa.BigInteger(), nullable=True),
        sa.Column("outbox_oid", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_relay_cursors")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(), nullable=True, comment="NFC, case-folded; null while deleted"),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("email_verified", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("plan_tier", sa.Text(), server_default="free", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("ix_users_created_at", "users", ["created_at", "id"], unique=False)
    op.create_index("uq_users_email_key", "users", ["email_key"], unique=True)
    op.create_table(
        "parked_streams",
        sa.Column("stream", sa.Uuid(), nullable=False),
        sa.Column("dead_letter_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dead_letter_id"],
            ["dead_letters.id"],
            name=op.f("fk_parked_streams_dead_letter_id_dead_letters"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_parked_streams")),
    )
    op.create_index("ix_parked_streams_dead_letter_id", "parked_streams", ["dead_letter_id"], unique=False)
    op.create_table(
        "squads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_squads_user_id_users"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_squads")),
    )
    op.create_index("ix_squads_user_id", "squads", ["user_id"], unique=False)
    op.create_table(
        "parked",
        sa.Column("stream", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("record_offset", sa.BigInteger(), nullable=False),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("header_names", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("header_values", postgresql.ARRAY(sa.LargeBinary()), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream"], ["parked_streams.stream"], name=op.f("fk_parked_stream_parked_streams"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("stream", "number", name=op.f("pk_parked")),
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("squad_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["squad_id"], ["squads.id"], name=op.f("fk_projects_squad_id_squads"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
    )
    op.create_index("ix_projects_squad_id", "projects", ["squad_id"], unique=False)
    op.create_table(
        "squad_members",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("squad_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["squad_id"], ["squads.id"], name=op.f("fk_squad_members_squad_id_squads"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_squad_members_user_id_users"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_squad_members")),
    )
    op.create_index("ix_squad_members_squad_id", "squad_members", ["squad_id"], unique=False)
    op.create_index("ix_squad_members_user_id", "squad_members", ["user_id"], unique=False)
    op.create_table(
        "usage_metrics",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("squad_id", sa.Uuid(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("limit_value", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "period = date_trunc('month', period::timestamp)::date", name=op.f("ck_usage_metrics_period_starts_a_month")
        ),
        sa.CheckConstraint("value >= 0", name=op.f("ck_usage_metrics_value_not_negative")),
        sa.ForeignKeyConstraint(
            ["squad_id"], ["squads.id"], name=op.f("fk_usage_metrics_squad_id_squads"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_metrics")),
    )
    op.create_index(
        "uq_usage_metrics_squad_id_metric_period", "usage_metrics", ["squad_id", "metric", "period"], unique=True
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("squad_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["squad_members.id"], name=op.f("fk_tasks_assignee_id_squad_members"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_tasks_project_id_projects"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["squad_id"], ["squads.id"], name=op.f("fk_tasks_squad_id_squads"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    op.create_index("ix_tasks_assignee_id", "tasks", ["assignee_id", "status"], unique=False)
    op.create_index(
        "ix_tasks_project_id_status", "tasks", ["project_id", "status", "priority", "created_at"], unique=False
    )
    op.create_index("ix_tasks_squad_id", "tasks", ["squad_id"], unique=False)
    op.create_index("ix_tasks_status_priority", "tasks", ["status", "priority", "created_at"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("squad_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_feedback_rating_from_one_to_five")),
        sa.ForeignKeyConstraint(
            ["squad_id"], ["squads.id"], name=op.f("fk_feedback_squad_id_squads"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_feedback_task_id_tasks"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_feedback_user_id_users"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index("ix_feedback_squad_id", "feedback", ["squad_id"], unique=False)
    op.create_index("ix_feedback_task_id", "feedback", ["task_id"], unique=False)
    op.create_index("ix_feedback_user_id", "feedback", ["user_id"], unique=False)

    # Everything is still to be published: 3 is the first normal transaction id. One shard has all slots.
    op.execute(
        "INSERT INTO relay_cursors (shard, slot_from, slot_to, previous, position, epoch)"
        " VALUES (0, 0, 1023, '3:3:', 0, 0)"
    )
    op.execute("INSERT INTO inbox_floor (pruned_before) VALUES ('-infinity')")


def downgrade() -> None:
    for name in ROW_TYPES:
        op.execute(f"DROP TYPE {name}")
    op.drop_index("ix_feedback_user_id", table_name="feedback")
    op.drop_index("ix_feedback_task_id", table_name="feedback")
    op.drop_index("ix_feedback_squad_id", table_name="feedback")
    op.drop_table("feedback")
    op.drop_index("ix_tasks_status_priority", table_name="tasks")
    op.drop_index("ix_tasks_squad_id", table_name="tasks")
    op.drop_index("ix_tasks_project_id_status", table_name="tasks")
    op.drop_index("ix_tasks_assignee_id", table_name="tasks")
    op.drop_table("tasks")
    op.drop_index("uq_usage_metrics_squad_id_metric_period", table_name="usage_metrics")
    op.drop_table("usage_metrics")
    op.drop_index("ix_squad_members_user_id", table_name="squad_members")
    op.drop_index("ix_squad_members_squad_id", table_name="squad_members")
    op.drop_table("squad_members")
    op.drop_index("ix_projects_squad_id", table_name="projects")
    op.drop_table("projects")
    op.drop_table("parked")
    op.drop_index("ix_squads_user_id", table_name="squads")
    op.drop_table("squads")
    op.drop_index("ix_parked_streams_dead_letter_id", table_name="parked_streams")
    op.drop_table("parked_streams")
    op.drop_index("uq_users_email_key", table_name="users")
    op.drop_index("ix_users_created_at", table_name="users")
    op.drop_table("users")
    op.drop_table("relay_cursors")
    op.drop_table("processes")
    op.drop_index("ix_outbox_txid_position", table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("leases")
    op.drop_table("inbox_floor")
    op.drop_index("ix_inbox_ce_time", table_name="inbox")
    op.drop_table("inbox")
    op.drop_index("ix_held_position", table_name="held")
    op.drop_table("held")
    op.drop_index("uq_dead_letters_topic_partition_record_offset_timestamp", table_name="dead_letters")
    op.drop_index("ix_dead_letters_state", table_name="dead_letters")
    op.drop_table("dead_letters")
    op.drop_table("controls")
    op.drop_table("checkpoints")
    op.drop_index("ix_audit_at", table_name="audit")
    op.drop_table("audit")
    op.execute(sa.schema.DropSequence(sa.Sequence("outbox_position")))
