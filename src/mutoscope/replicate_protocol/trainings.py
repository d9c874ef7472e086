"""Trainings as they travel: runs that make a new version of a model instead of an output."""

from typing import Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict

from mutoscope.replicate_protocol.predictions import Run, WebhookEvent
from mutoscope.replicate_protocol.wire import Wire


class TrainingOutput(Wire):
    """What a training gives: ``version`` as ``owner/name:id``, and where its ``weights`` are."""

    version: str | None = None
    weights: str | None = None


class Training(Run):
    """One training, as ``GET /v1/trainings/{id}`` and a webhook's body show it; without ``output`` until it ends."""

    nullable: ClassVar[frozenset[str]] = frozenset({"error"})

    @property
    def result(self) -> TrainingOutput | None:
        """The output as what trainings give; ``None`` while there is none, or if it is something else."""
        return TrainingOutput.model_validate(self.output) if isinstance(cast("object", self.output), dict) else None


class CreateTraining(BaseModel):
    """The body of ``POST /v1/models/{owner}/{name}/versions/{id}/trainings``; ``destination`` is ``owner/name``."""

    model_config = ConfigDict(extra="allow")

    destination: str
    input: dict[str, Any]
    webhook: str | None = None
    webhook_events_filter: list[WebhookEvent] | None = None
