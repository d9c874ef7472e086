"""Input files of accounts, and their copies at providers. What was sent is remembered by its hash."""

import sqlalchemy as sa
from alembic import op

from mutoscope.db.base import Json, Utc

revision = "0004_uploads"
down_revision = "0003_front_door"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("media_type", sa.String(length=128), nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("expires_at", Utc, nullable=False),
        sa.CheckConstraint("state IN ('writing', 'ready', 'leaving')", name="ck_uploads_known_state"),
        sa.CheckConstraint("state <> 'ready' OR sha256 IS NOT NULL", name="ck_uploads_ready_is_hashed"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_uploads_account_id_accounts"),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.UniqueConstraint("key", name="uq_uploads_key"),
    )
    op.create_index("ix_uploads_account_id", "uploads", ["account_id", "id"], unique=False)
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"], unique=False)
    op.create_table(
        "provider_files",
        sa.Column("upload_id", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("expires_at", Utc, nullable=True),
        sa.Column("claimed_until", Utc, nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name="fk_provider_files_upload_id_uploads", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upload_id", "provider", name="pk_provider_files"),
    )
    op.add_column("generation_attempts", sa.Column("sent_sha256", sa.String(length=64), nullable=True))
