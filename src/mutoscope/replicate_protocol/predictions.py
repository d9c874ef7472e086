"""Predictions as they travel: what Replicate answers and what it is asked.

The shapes are those of Replicate's OpenAPI document (1.0.0-a1). Reading is tolerant, because the real API adds fields
and statuses without notice: unknown fields are kept, the status is an open set, and nulls are accepted everywhere.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

TERMINAL_STATUSES = frozenset({"succeeded", "failed", "canceled", "aborted"})
"""Statuses after which a prediction never changes again, except that its data is removed."""

WebhookEvent = Literal["start", "output", "logs", "completed"]
"""What a ``webhook_events_filter`` may name."""


def _as_text(value: object) -> object:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_object(value: object) -> object:
    return {} if value is None else value


def _as_links(value: object) -> object:
    if not isinstance(value, dict):
        return {} if value is None else value
    links = cast("dict[str, object]", value)
    return {name: link for name, link in links.items() if isinstance(link, str)}


def _as_instant(value: object) -> object:
    """An ISO time without an offset is UTC: local time never travels here."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


Text = Annotated[str | None, BeforeValidator(_as_text)]
Instant = Annotated[datetime, BeforeValidator(_as_instant)]
Object = Annotated[dict[str, Any], BeforeValidator(_as_object)]


class Prediction(BaseModel):
    """One prediction, as ``GET /v1/predictions/{id}`` and a webhook's body show it."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    id: str
    model: str = ""
    version: Text = None
    input: Object = Field(default_factory=dict)
    output: Any = None
    error: Text = None
    logs: Text = None
    status: str
    created_at: Instant
    started_at: Instant | None = None
    completed_at: Instant | None = None
    data_removed: bool = False
    deadline: Instant | None = None
    deployment: Text = None
    metrics: Object = Field(default_factory=dict)
    urls: Annotated[dict[str, str], BeforeValidator(_as_links)] = Field(default_factory=dict)
    source: str | None = None
    webhook: str | None = None

    @property
    def terminal(self) -> bool:
        """Whether the status can no longer change."""
        return self.status in TERMINAL_STATUSES

    @property
    def predict_time_s(self) -> float | None:
        """Seconds the model ran, which is what Replicate bills for; ``None`` if it does not say."""
        value = self.metrics.get("predict_time")
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


class PredictionPage(BaseModel):
    """One page of ``GET /v1/predictions``, newest first; ``next`` and ``previous`` are whole URLs."""

    model_config = ConfigDict(extra="allow")

    results: list[Prediction]
    next: str | None = None
    previous: str | None = None


class CreatePrediction(BaseModel):
    """The body of a create on an official model or a deployment."""

    model_config = ConfigDict(extra="allow")

    input: dict[str, Any]
    webhook: str | None = None
    webhook_events_filter: list[WebhookEvent] | None = None
    stream: bool | None = None


class CreateVersionPrediction(CreatePrediction):
    """The body of ``POST /v1/predictions``: also says what to run, as ``references.parse_reference`` reads it."""

    version: str
