"""Tables of the uploads room."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from mutoscope.db.base import Base, Id, Name


class Upload(Base):
    """One file of an account. Written down before its bytes, so that no bytes are ever without an owner."""

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("state IN ('writing', 'ready', 'leaving')", name="known_state"),
        CheckConstraint("state <> 'ready' OR sha256 IS NOT NULL", name="ready_is_hashed"),
        Index("ix_uploads_account_id", "account_id", "id"),
        Index("ix_uploads_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    state: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(Name)
    key: Mapped[str] = mapped_column(String(1024), unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(128))
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ProviderFile(Base):
    """The copy of an upload at a provider, so that it is sent there once. Without a ``url`` it is being sent."""

    __tablename__ = "provider_files"

    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    provider: Mapped[str] = mapped_column(String(32), primary_key=True)
    url: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime]
