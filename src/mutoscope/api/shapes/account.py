"""Accounts and keys as operators see them."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from mutoscope.accounts.models import Account, ApiKey
from mutoscope.api.texts import Name, Rank, Time


class AccountCreate(BaseModel):
    """The account of one of your users."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"external_id": "user-42"}})

    external_id: Name = Field(
        description="Your own id of the user. The same one again gives the account as it is. It has no `/` and no "
        "white space at its ends, and does not begin with `acct_`."
    )
    name: Name | None = None
    priority: Rank = Field(default=0, description="A higher one goes first when there is a queue.")
    max_in_flight: Annotated[int, Field(ge=1, le=100_000, strict=True)] | None = Field(
        default=None, description="Generations at a time, in place of the default."
    )
    metadata: dict[str, Any] = Field(default={}, description="Your own notes; at most 16 KiB.")


class AccountRead(BaseModel):
    """An account."""

    id: str
    external_id: str
    name: str | None
    priority: int
    max_in_flight: int | None
    metadata: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, row: Account) -> Self:
        """An account."""
        return cls(
            id=row.id,
            external_id=row.external_id,
            name=row.name,
            priority=row.priority,
            max_in_flight=row.max_in_flight,
            metadata=row.metadata_,
            created_at=row.created_at,
        )


class KeyCreate(BaseModel):
    """A key for an account."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"name": "web app"}})

    name: Name | None = None
    expires_at: Time | None = None


class KeyRead(BaseModel):
    """An API key. The key itself is shown once, when it is made; ``hint`` is how it begins."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    scope: str
    account_id: str | None
    name: str | None
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, row: ApiKey) -> Self:
        """A key, without its secret."""
        return cls.model_validate(row)


class KeyCreated(BaseModel):
    """A new key, and its text, which cannot be shown again."""

    key: KeyRead
    secret: str
