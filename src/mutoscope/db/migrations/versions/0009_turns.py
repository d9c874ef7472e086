"""When each account was last let in at a provider, so that the next place goes to whoever has waited longest."""

import sqlalchemy as sa
from alembic import op

from mutoscope.db.base import Id, Utc

revision = "0009_turns"
down_revision = "0008_purchases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_turns",
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("account_id", Id, nullable=False),
        sa.Column("admitted_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("provider", "account_id", name=op.f("pk_account_turns")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_turns_account_id_accounts")),
    )
