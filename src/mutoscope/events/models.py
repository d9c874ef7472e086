"""Tables of the events room."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from mutoscope.db.base import Base, Id


class EventCounter(Base):
    """The last number of an account's event sequence; its row lock keeps the sequence free of gaps."""

    __tablename__ = "event_counters"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)


class Event(Base):
    """One thing that happened. ``number`` counts 1, 2, 3 … within the account, without gaps."""

    __tablename__ = "events"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[str] = mapped_column(Id)
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
