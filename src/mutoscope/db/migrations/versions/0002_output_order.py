"""Outputs keep the order of their members: JSONB sorts them, and files are numbered in the order of reading."""

import sqlalchemy as sa
from alembic import op

revision = "0002_output_order"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = ("prediction_output", "output")


def upgrade() -> None:
    """SQLite keeps JSON as it was written anyway."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for column in COLUMNS:
        op.alter_column("generations", column, type_=sa.JSON(), postgresql_using=f"{column}::json")
