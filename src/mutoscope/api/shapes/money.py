"""Credits as the API shows them: balances, transfers, lots."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from mutoscope.api.texts import Amount, Name, Rank, Time, Word
from mutoscope.ledger.models import CreditLot, CreditTransfer
from mutoscope.ledger.records import Balance
from mutoscope.ledger.rules import Kind, LedgerAccount, Source


class ExpiringRead(BaseModel):
    """Credits that are lost at `expires_at` unless they are used."""

    model_config = ConfigDict(from_attributes=True)

    lot_id: str
    amount: int
    expires_at: datetime


class BalanceRead(BaseModel):
    """What the account has of one credit type."""

    model_config = ConfigDict(from_attributes=True)

    credit_type: str
    available: int
    held: int = Field(description="Set aside for generations that are under way.")
    spent: int
    expired: int
    expiring: list[ExpiringRead] = Field(description="The next few lots that expire.")

    @classmethod
    def of(cls, balance: Balance) -> Self:
        """A balance."""
        return cls.model_validate(balance)


class BalancesRead(BaseModel):
    """What the account has, by credit type."""

    data: list[BalanceRead]


class TransferRead(BaseModel):
    """One immutable movement of credits: `amount` left `debit` and came to `credit`."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: Kind
    credit_type: str
    debit: LedgerAccount
    credit: LedgerAccount
    amount: int
    lot_id: str
    hold_id: str | None
    generation_id: str | None = None
    reason: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: CreditTransfer, generations: Mapping[str, str]) -> Self:
        """A transfer; ``generations`` tells the generation of a hold."""
        shown = cls.model_validate(row)
        shown.generation_id = generations.get(row.hold_id or "")
        return shown


class GrantCreate(BaseModel):
    """Credits to give."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "credit_type": "image_generation",
                "amount": 100,
                "source": "purchase",
                "external_id": "invoice-1001",
            }
        },
    )

    credit_type: Word
    amount: Amount
    source: Source
    external_id: Name = Field(description="Your own id of the grant: the same one again gives nothing more.")
    priority: Rank = Field(default=0, description="Among lots that expire together, the lower number is used first.")
    expires_at: Time | None = None


class LotRead(BaseModel):
    """A grant, and where its credits are now."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    account_id: str
    credit_type: str
    source: str
    external_id: str
    priority: int
    expires_at: datetime | None
    amount: int
    remaining: int
    held: int
    spent: int
    expired: int
    created_at: datetime

    @classmethod
    def of(cls, row: CreditLot) -> Self:
        """A lot."""
        return cls.model_validate(row)


class RefundCreate(BaseModel):
    """Charged credits to give back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"amount": 1, "reason": "bad_result"}})

    amount: Amount
    reason: Word


class RefundRead(BaseModel):
    """A refund that was made."""

    generation_id: str
    credit_type: str
    amount: int
    reason: str
