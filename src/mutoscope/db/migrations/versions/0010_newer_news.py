"""Whether there is something newer to tell than the message that is under way."""

import sqlalchemy as sa
from alembic import op

revision = "0010_newer_news"
down_revision = "0009_turns"
branch_labels = None
depends_on = None


def upgrade() -> None:
    newer = sa.Column("newer_news", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("webhook_deliveries", newer)
