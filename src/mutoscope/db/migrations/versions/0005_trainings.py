"""Generations that are trainings: what kind they are, and where the trained model goes."""

import sqlalchemy as sa
from alembic import op

revision = "0005_trainings"
down_revision = "0004_uploads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kind = sa.Column("kind", sa.String(length=16), nullable=False, server_default="prediction")
    with op.batch_alter_table("generations") as table:
        table.add_column(kind)
        table.add_column(sa.Column("destination", sa.String(length=255), nullable=True))
