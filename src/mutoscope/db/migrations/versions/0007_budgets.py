"""A create rate that the provider has told us of, below the one in the settings; it lapses by time."""

import sqlalchemy as sa
from alembic import op

from mutoscope.db.base import Utc

revision = "0007_budgets"
down_revision = "0006_streams"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("provider_budgets", sa.Column("told_per_minute", sa.Integer(), nullable=True))
    op.add_column("provider_budgets", sa.Column("told_burst", sa.Integer(), nullable=True))
    op.add_column("provider_budgets", sa.Column("told_until", Utc, nullable=True))
