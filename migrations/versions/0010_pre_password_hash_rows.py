"""Rows of users travel with the hash of a password.

Must not break the previous release's code, which still runs while this does: it goes on with `users_row_1`.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROW = """
    "id" uuid, "email" text, "email_key" text, "name" text, "is_active" boolean, "email_verified" boolean,
    "plan_tier" text, "created_at" timestamptz, "deleted_at" timestamptz, "erased_at" timestamptz, "version" bigint,
    "password_hash" text
"""


def upgrade() -> None:
    op.execute(f"CREATE TYPE users_row_2 AS ({ROW})")


def downgrade() -> None:
    op.execute("DROP TYPE users_row_2")
