"""Tables of the webhooks room."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from mutoscope.db.base import Base, Id, Name

_OWED = text("due_at IS NOT NULL")
_CURRENT = text("replaced_at IS NULL")


class WebhookSecret(Base):
    """A secret that signs an account's webhooks. One is current; those replaced go on signing beside it for a while."""

    __tablename__ = "webhook_secrets"
    __table_args__ = (
        Index("ix_webhook_secrets_account_id", "account_id"),
        Index(
            "uq_webhook_secrets_current",
            "account_id",
            unique=True,
            postgresql_where=_CURRENT,
            sqlite_where=_CURRENT,
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    # Kept as it is: a signature cannot be made from a digest.
    secret: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    """One message that is owed to one URL, until it was taken there or given up."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'given_up', 'dropped')", name="known_state"),
        CheckConstraint("(state = 'pending') = (due_at IS NOT NULL)", name="pending_is_due"),
        Index("ix_webhook_deliveries_due_at", "due_at", postgresql_where=_OWED, sqlite_where=_OWED),
        Index("ix_webhook_deliveries_subject_id", "subject_id", postgresql_where=_OWED, sqlite_where=_OWED),
        Index("ix_webhook_deliveries_ended_at", "ended_at"),
        Index("ix_webhook_deliveries_account_id", "account_id", "created_at"),
    )

    # What it is about, so that the same thing is owed once.
    key: Mapped[str] = mapped_column(Name, primary_key=True)
    # The header ``webhook-id``, the same at every try.
    message_id: Mapped[str] = mapped_column(Id, unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    # Who makes its body, of which subject, for which event.
    kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(Id)
    event: Mapped[str] = mapped_column(String(64))
    url: Mapped[str] = mapped_column(Text)

    state: Mapped[str] = mapped_column(String(16))
    # When to try; while a try is under way, when it counts as lost.
    due_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer)
    max_attempts: Mapped[int] = mapped_column(Integer)
    attempted_at: Mapped[datetime | None]
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_error: Mapped[str | None] = mapped_column(Text)
    # While a try is under way: there is something newer to tell when it has ended.
    newer_news: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
