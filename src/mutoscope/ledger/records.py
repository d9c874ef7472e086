"""What the ledger hands out: plain frozen values, free of any session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

HoldState = Literal["pending", "posted", "voided"]


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits set aside. ``posted`` of ``amount`` were taken once ``state`` is no longer ``pending``."""

    id: str
    account_id: str
    credit_type: str
    amount: int
    posted: int
    state: HoldState
    reason: str | None


@dataclass(frozen=True, slots=True)
class Expiring:
    """Credits of one lot that are lost at ``expires_at`` unless they are used."""

    lot_id: str
    amount: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has of one credit type. ``available`` leaves out what has expired but is not yet swept."""

    credit_type: str
    available: int
    held: int
    spent: int
    expired: int
    expiring: Sequence[Expiring]
