"""Predictions as they travel: what Replicate answers and what it is asked."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from mutoscope.replicate_protocol.statuses import is_terminal
from mutoscope.replicate_protocol.wire import Instant, Links, Object, Page, Text, Wire

WebhookEvent = Literal["start", "output", "logs", "completed"]
"""What a ``webhook_events_filter`` may name."""


class Run(Wire):
    """What predictions and trainings have in common: something that starts, runs and ends."""

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
    metrics: Object = Field(default_factory=dict)
    urls: Links = Field(default_factory=dict)
    source: str | None = None
    webhook: str | None = None

    @property
    def terminal(self) -> bool:
        """Whether the status can no longer change."""
        return is_terminal(self.status)

    @property
    def predict_time_s(self) -> float | None:
        """Seconds the model ran, which is what Replicate bills for; ``None`` if it does not say."""
        value = self.metrics.get("predict_time")
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


class Prediction(Run):
    """One prediction, as ``GET /v1/predictions/{id}`` and a webhook's body show it."""

    nullable: ClassVar[frozenset[str]] = frozenset({"output", "error"})

    data_removed: bool = False
    deadline: Instant | None = None
    deployment: Text = None


class PredictionPage(Page[Prediction]):
    """One page of ``GET /v1/predictions``."""


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
