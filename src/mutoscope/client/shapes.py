"""What the service answers. Members that a newer service adds are kept and do no harm."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")
Status = Literal["queued", "processing", "completed", "failed", "canceled"]


class Shape(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Page(Shape, Generic[T]):
    """One page of a list."""

    data: list[T]
    has_more: bool
    next_cursor: str | None


class File(Shape):
    """One stored file; ``url`` is good until ``expires_at``."""

    number: int
    url: str
    media_type: str
    size_bytes: int
    sha256: str
    expires_at: datetime | None


class Credits(Shape):
    """What a generation costs, in whole credits."""

    type: str
    held: int
    charged: int | None
    refunded: int | None
    refund_reason: str | None


class Progress(Shape):
    """How far it is; ``percent`` is ``None`` when the model does not say."""

    percent: int | None
    logs: str | None


class Failure(Shape):
    """Why it failed or was canceled."""

    code: str
    detail: str


class Generation(Shape):
    """One paid generation. ``completed`` means that its files are stored."""

    id: str
    status: Status
    model: str
    input: dict[str, Any]
    output: Any
    files: list[File]
    credits: Credits
    progress: Progress
    failure: Failure | None
    attempt: int
    metadata: dict[str, Any]
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ("completed", "failed", "canceled")


class Price(Shape):
    """What a run costs, in whole credits; ``text`` says it in words."""

    text: str
    per_run: int
    per_output: int
    per_predict_second: int
    max_outputs: int


class Model(Shape):
    """A model that can be run. The schemas are there when one model was asked for."""

    alias: str
    description: str
    credit_type: str
    price: Price
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None


class Quote(Shape):
    """The most a run will cost."""

    model: str
    credit_type: str
    credits: int


class Balance(Shape):
    """What an account has of one credit type."""

    credit_type: str
    available: int
    held: int
    spent: int
    expired: int


class Balances(Shape):
    """What an account has, by credit type."""

    data: list[Balance]


class Transfer(Shape):
    """One immutable movement: ``amount`` left ``debit`` and came to ``credit``."""

    id: int
    kind: str
    credit_type: str
    debit: str
    credit: str
    amount: int
    lot_id: str
    hold_id: str | None
    generation_id: str | None
    reason: str | None
    created_at: datetime


class Account(Shape):
    """An account, as operators see it."""

    id: str
    external_id: str
    name: str | None
    priority: int
    max_in_flight: int | None
    metadata: dict[str, Any]
    created_at: datetime


class Key(Shape):
    """A key; ``hint`` is how it begins."""

    id: str
    scope: str
    account_id: str | None
    name: str | None
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKey(Shape):
    """A new key and its text, which is shown once."""

    key: Key
    secret: str


class Lot(Shape):
    """A grant, and where its credits are now."""

    id: str
    account_id: str
    credit_type: str
    source: str
    external_id: str
    amount: int
    remaining: int
    expires_at: datetime | None
