"""The front door: a generation's own webhook and deadline, webhooks that go out, and the secrets that sign them."""

import sqlalchemy as sa
from alembic import op

from mutoscope.db.base import Json, Utc

revision = "0003_front_door"
down_revision = "0002_output_order"
branch_labels = None
depends_on = None

OWED = sa.text("due_at IS NOT NULL")
CURRENT = sa.text("replaced_at IS NULL")


def upgrade() -> None:
    op.add_column("generations", sa.Column("source", sa.String(length=16), server_default="api", nullable=False))
    op.add_column("generations", sa.Column("deadline", Utc, nullable=True))
    op.add_column("generations", sa.Column("webhook", Json, nullable=True))
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.String(length=128), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("replaced_at", Utc, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_webhook_secrets_account_id_accounts"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_secrets"),
    )
    op.create_index("ix_webhook_secrets_account_id", "webhook_secrets", ["account_id"], unique=False)
    op.create_index(
        "uq_webhook_secrets_current",
        "webhook_secrets",
        ["account_id"],
        unique=True,
        postgresql_where=CURRENT,
        sqlite_where=CURRENT,
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", Utc, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("attempted_at", Utc, nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("ended_at", Utc, nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'given_up', 'dropped')", name="ck_webhook_deliveries_known_state"
        ),
        sa.CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name="ck_webhook_deliveries_pending_is_due"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_webhook_deliveries_account_id_accounts"),
        sa.PrimaryKeyConstraint("key", name="pk_webhook_deliveries"),
        sa.UniqueConstraint("message_id", name="uq_webhook_deliveries_message_id"),
    )
    for column in ("due_at", "subject_id"):
        op.create_index(
            f"ix_webhook_deliveries_{column}",
            "webhook_deliveries",
            [column],
            unique=False,
            postgresql_where=OWED,
            sqlite_where=OWED,
        )
    op.create_index("ix_webhook_deliveries_ended_at", "webhook_deliveries", ["ended_at"], unique=False)
    op.create_index(
        "ix_webhook_deliveries_account_id", "webhook_deliveries", ["account_id", "created_at"], unique=False
    )
