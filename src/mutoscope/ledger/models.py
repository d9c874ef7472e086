"""Tables of the ledger.

For each account and credit type there are five ledger accounts, kept as the five columns of one guarded row. A transfer
takes from one and gives to another, so the five always sum to zero; the database itself checks it on every change.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from mutoscope.db.base import Base, Credits, Id, Name, Sequence

_PURCHASES = text("source = 'purchase'")


class CreditBalance(Base):
    """The guarded row: what an account has of one credit type, in whole credits."""

    __tablename__ = "credit_balances"
    __table_args__ = (
        CheckConstraint("issued + available + held + spent + expired = 0", name="zero_sum"),
        CheckConstraint("issued <= 0", name="issued_not_positive"),
        CheckConstraint("available >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0", name="not_negative"),
    )

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    credit_type: Mapped[str] = mapped_column(String(64), primary_key=True)
    # The source of all grants: minus everything ever granted.
    issued: Mapped[int] = mapped_column(Credits, default=0)
    available: Mapped[int] = mapped_column(Credits, default=0)
    held: Mapped[int] = mapped_column(Credits, default=0)
    spent: Mapped[int] = mapped_column(Credits, default=0)
    expired: Mapped[int] = mapped_column(Credits, default=0)


class CreditLot(Base):
    """One grant, and where its credits are now."""

    __tablename__ = "credit_lots"
    __table_args__ = (
        UniqueConstraint("account_id", "credit_type", "source", "external_id", name="uq_credit_lots_grant"),
        CheckConstraint("amount = remaining + held + spent + expired", name="adds_up"),
        CheckConstraint(
            "amount > 0 AND remaining >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0", name="not_negative"
        ),
        # A payment belongs to one account; the other sources count per account.
        Index(
            "uq_credit_lots_purchase",
            "credit_type",
            "external_id",
            unique=True,
            sqlite_where=_PURCHASES,
            postgresql_where=_PURCHASES,
        ),
        Index("ix_credit_lots_burn_down", "account_id", "credit_type", "expires_at", "priority"),
        Index("ix_credit_lots_expiry", "expires_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    credit_type: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(32))
    external_id: Mapped[str] = mapped_column(Name)
    # Among lots that expire at the same time, the lower number is used first.
    priority: Mapped[int] = mapped_column(Integer, default=0)
    expires_at: Mapped[datetime | None]
    amount: Mapped[int] = mapped_column(Credits)
    remaining: Mapped[int] = mapped_column(Credits)
    held: Mapped[int] = mapped_column(Credits, default=0)
    spent: Mapped[int] = mapped_column(Credits, default=0)
    expired: Mapped[int] = mapped_column(Credits, default=0)
    created_at: Mapped[datetime]


class CreditHold(Base):
    """Credits set aside for one generation, until they are posted or voided: once, first writer wins."""

    __tablename__ = "credit_holds"
    __table_args__ = (
        UniqueConstraint("account_id", "key", name="uq_credit_holds_key"),
        CheckConstraint("amount > 0 AND posted >= 0 AND posted <= amount", name="posted_within_amount"),
        CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="settled_has_time"),
        CheckConstraint("state IN ('pending', 'posted', 'voided')", name="known_state"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    credit_type: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(Name)
    amount: Mapped[int] = mapped_column(Credits)
    posted: Mapped[int] = mapped_column(Credits, default=0)
    state: Mapped[str] = mapped_column(String(16), default="pending")
    reason: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class CreditTransfer(Base):
    """One immutable movement between two ledger accounts. Triggers refuse to change or delete it."""

    __tablename__ = "credit_transfers"
    __table_args__ = (
        CheckConstraint("amount > 0", name="positive"),
        CheckConstraint("debit <> credit", name="moves"),
        Index("ix_credit_transfers_account_id", "account_id", "id"),
        Index("ix_credit_transfers_hold_id", "hold_id"),
        Index("ix_credit_transfers_lot_id", "lot_id"),
        UniqueConstraint("account_id", "key", name="uq_credit_transfers_key"),
    )

    id: Mapped[int] = mapped_column(Sequence, primary_key=True, autoincrement=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    credit_type: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    debit: Mapped[str] = mapped_column(String(16))
    credit: Mapped[str] = mapped_column(String(16))
    amount: Mapped[int] = mapped_column(Credits)
    lot_id: Mapped[str] = mapped_column(ForeignKey("credit_lots.id"))
    hold_id: Mapped[str | None] = mapped_column(ForeignKey("credit_holds.id"))
    # Set on movements that a caller names, such as a refund; unique, so that each is made once.
    key: Mapped[str | None] = mapped_column(Name)
    reason: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
