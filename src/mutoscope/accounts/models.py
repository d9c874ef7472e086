"""Tables of the accounts room."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from mutoscope.db.base import Base, Id, Name


class Account(Base):
    """One user (or tenant) of the app, under the app's own ``external_id``."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    external_id: Mapped[str] = mapped_column(Name, unique=True)
    name: Mapped[str | None] = mapped_column(Name)
    # Admission: a higher priority goes first; max_in_flight overrides the default for this account.
    priority: Mapped[int] = mapped_column(Integer, default=0)
    max_in_flight: Mapped[int | None] = mapped_column(Integer)
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    created_at: Mapped[datetime]


class ApiKey(Base):
    """A key. Only the SHA-256 of the secret is kept; the secret itself is shown once."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("(scope = 'operator') = (account_id IS NULL)", name="scope_fits_account"),
        Index("ix_api_keys_account_id", "account_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    scope: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str | None] = mapped_column(Name)
    hint: Mapped[str] = mapped_column(String(64))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
