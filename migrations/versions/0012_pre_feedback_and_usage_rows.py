"""How rows of feedback and usage travel; both tables were empty until now.

Must not break the previous release's code, which still runs while this does: it knows neither type.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FEEDBACK = """
    "id" uuid, "squad_id" uuid, "task_id" uuid, "user_id" uuid, "rating" smallint, "comment" text,
    "created_at" timestamptz, "withdrawn_at" timestamptz
"""

USAGE = """
    "id" uuid, "squad_id" uuid, "metric" text, "period" date, "value" bigint, "limit_value" bigint
"""


def upgrade() -> None:
    op.execute(f"CREATE TYPE feedback_row_1 AS ({FEEDBACK})")
    op.execute(f"CREATE TYPE usage_metrics_row_1 AS ({USAGE})")


def downgrade() -> None:
    op.execute("DROP TYPE usage_metrics_row_1")
    op.execute("DROP TYPE feedback_row_1")
