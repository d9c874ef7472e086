"""Generations without ``source``, which was never anything but ``api``."""

from alembic import op

revision = "0011_no_source"
down_revision = "0010_newer_news"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("generations", "source")
