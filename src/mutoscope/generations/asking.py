"""What callers say when they ask for a generation, or for a list of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement

from mutoscope.catalog.entries import CatalogEntry
from mutoscope.core.canonical import sha256_of
from mutoscope.core.errors import InvalidRequest
from mutoscope.core.model_settings import ModelSettings
from mutoscope.generations.models import Generation
from mutoscope.generations.states import Status
from mutoscope.replicate_protocol.predictions import WebhookEvent
from mutoscope.replicate_protocol.references import is_model_name


@dataclass(frozen=True, slots=True)
class Webhook:
    """Whom to tell: a URL that was checked, and the events it is called for."""

    url: str
    events: Sequence[WebhookEvent]

    def as_json(self) -> dict[str, Any]:
        """What is kept with the generation."""
        return {"url": self.url, "events": sorted(set(self.events))}


@dataclass(frozen=True, slots=True)
class NewGeneration:
    """What is asked for.

    Attributes:
        model: An alias of the catalog.
        input: The model's input.
        metadata: The caller's own notes; given back as they are.
        idempotency_key: The same key and request give the same generation, however often and from wherever.
        cancel_after_s: This long after it was accepted the caller wants nothing any more.
        webhook: Whom to tell how it goes.
        destination: Of a training, and only of one: ``owner/name`` of the model that gets the new version.
        stream: Whether its text may be followed while it is made; ``if_able``: if the model gives text piece by piece;
            ``None``: as the model's settings say.
    """

    model: str
    input: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    idempotency_key: str | None = None
    cancel_after_s: int | None = None
    webhook: Webhook | None = None
    destination: str | None = None
    stream: bool | Literal["if_able"] | None = None

    def sha256(self) -> str:
        """The request's fingerprint, which a repeated key must match."""
        asked = {"model": self.model, "input": self.input, "metadata": self.metadata}
        more = {
            "cancel_after_s": self.cancel_after_s,
            "webhook": self.webhook and self.webhook.as_json(),
            "destination": self.destination,
            "stream": self.stream,
        }
        return sha256_of(asked | {name: value for name, value in more.items() if value is not None})

    def deadlines(self, settings: ModelSettings, now: datetime) -> tuple[datetime, datetime | None]:
        """Until when it may wait in the queue, and its caller's own deadline, which the model's limits bound."""
        queue_timeout = timedelta(seconds=settings.queue_timeout_s)
        if self.cancel_after_s is None:
            return now + queue_timeout, None
        longest = queue_timeout + timedelta(seconds=settings.run_timeout_s)
        deadline = now + min(timedelta(seconds=self.cancel_after_s), longest)
        return min(now + queue_timeout, deadline), deadline


def check_destination(entry: CatalogEntry, destination: str | None) -> None:
    """A training says where its model goes, as ``owner/name``; nothing else does. Raises ``InvalidRequest``."""
    is_training = entry.settings.kind == "training"
    if not is_training and destination is not None:
        raise InvalidRequest(f"{entry.alias} is no training, so it takes no destination.")
    if is_training and not (destination and is_model_name(destination)):
        raise InvalidRequest(
            f"{entry.alias} is a training: set destination to the owner/name of a model in the Replicate account that "
            "this service uses; the model gets the new version."
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which generations belong in a list: all that is given must hold.

    Attributes:
        before: Those older than this id.
        status: Those with this status.
        model: Those of this alias.
        kind: Predictions or trainings.
        created_after: Those made at this time or later.
        created_before: Those made before this time.
    """

    before: str | None = None
    status: Status | None = None
    model: str | None = None
    kind: Literal["prediction", "training"] | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As the database reads them."""
        pairs: tuple[tuple[Callable[[Any], ColumnElement[bool]], object], ...] = (
            (Generation.id.__lt__, self.before),
            (Generation.status.__eq__, self.status),
            (Generation.model.__eq__, self.model),
            (Generation.kind.__eq__, self.kind),
            (Generation.created_at.__ge__, self.created_after),
            (Generation.created_at.__lt__, self.created_before),
        )
        return [condition(value) for condition, value in pairs if value is not None]
