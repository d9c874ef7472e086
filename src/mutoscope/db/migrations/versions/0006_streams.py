"""Text that is streamed while it is made: what has come so far, and who is fetching the rest."""

import sqlalchemy as sa
from alembic import op

from mutoscope.db.base import Utc

revision = "0006_streams"
down_revision = "0005_trainings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("generations") as table:
        table.add_column(sa.Column("stream", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("stream_url", sa.Text(), nullable=True))
    op.create_table(
        "stream_tapes",
        sa.Column("generation_id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("chars", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("last_event_id", sa.String(length=255), nullable=True),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("owned_until", Utc, nullable=False),
        sa.Column("touched_at", Utc, nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generations.id"], name="fk_stream_tapes_generation_id_generations"
        ),
        sa.PrimaryKeyConstraint("generation_id", name="pk_stream_tapes"),
    )
    op.create_index("ix_stream_tapes_touched_at", "stream_tapes", ["touched_at"], unique=False)
    op.create_table(
        "stream_pieces",
        sa.Column("generation_id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["stream_tapes.generation_id"],
            name="fk_stream_pieces_generation_id_stream_tapes",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("generation_id", "attempt", "start", name="pk_stream_pieces"),
    )
