"""Which hints had come when a row was last claimed, and which run of an engine looks after it."""

import sqlalchemy as sa
from alembic import op

revision = "0012_runs"
down_revision = "0011_no_source"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("generations") as table:
        for name in ("heard", "run"):
            table.add_column(sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
