"""Makes records of requests: what is kept about a new prediction or training when it is accepted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mutoscope.core.errors import ConfigurationError, InvalidRequest
from mutoscope.replicate_protocol.predictions import CreatePrediction, WebhookEvent
from mutoscope.replicate_protocol.references import ModelReference
from mutoscope.replicate_protocol.webhooks import check_secret, new_webhook_secret
from mutoscope.runner.catalog import Runnable
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.faults import Faults
from mutoscope.runner.posting import PostFailed, server_of
from mutoscope.runner.records import Record, new_prediction_id
from mutoscope.runner.trainings import Train

_DEFAULT_EVENTS: frozenset[WebhookEvent] = frozenset({"output", "completed"})


@dataclass(frozen=True, slots=True)
class Create:
    """One request for a prediction, understood but not yet accepted."""

    reference: ModelReference
    body: CreatePrediction
    cancel_after_s: int | None
    faults: Faults


def new_prediction(create: Create, found: Runnable, folder: str) -> Record:
    """The record of a prediction that is accepted now. Raises ``InvalidRequest`` if its webhook cannot be one."""
    now, body, kind = datetime.now(UTC), create.body, create.reference.kind
    after_s = create.cancel_after_s
    return Record(
        id=new_prediction_id(),
        folder=folder,
        model=found.name,
        version="hidden" if kind == "official" else found.version,
        runs=found.version,
        created_at=now,
        input=body.input,
        deadline=None if after_s is None else now + timedelta(seconds=after_s),
        deployment=create.reference.model if kind == "deployment" else None,
        streams=found.offer.model.streams,
        webhook=_webhook(body.webhook),
        events=_events(body.webhook_events_filter),
    )


def new_training(wanted: Train, found: Runnable, folder: str) -> Record:
    """The record of a training that is accepted now. Raises as ``new_prediction`` does."""
    return Record(
        id=new_prediction_id(),
        kind="training",
        folder=folder,
        model=found.name,
        version=found.version,
        runs=found.version,
        created_at=datetime.now(UTC),
        input=wanted.body.input,
        destination=wanted.body.destination,
        webhook=_webhook(wanted.body.webhook),
        events=_events(wanted.body.webhook_events_filter),
    )


def _webhook(url: str | None) -> str | None:
    try:
        if url is not None:
            server_of(url)
    except PostFailed as error:
        fields = [{"type": "format", "field": "webhook", "description": str(error)}]
        raise InvalidRequest(f"- webhook: {error}", invalid_fields=fields) from error
    return url


def _events(wanted: list[WebhookEvent] | None) -> frozenset[WebhookEvent]:
    return _DEFAULT_EVENTS if wanted is None else frozenset(wanted)


def webhook_secret(config: RunnerConfig) -> str:
    """The secret that was given, or the one of this state directory.

    Raises:
        ConfigurationError: It cannot sign anything.
    """
    if config.webhook_secret is not None:
        check_secret(config.webhook_secret)
        return config.webhook_secret
    path = config.state_dir / "webhook_secret"
    if not path.exists() or not path.read_text().strip():
        path.touch(mode=0o600)
        path.write_text(new_webhook_secret())
    kept = path.read_text().strip()
    try:
        check_secret(kept)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error.detail} The file {path} holds another text: delete it.") from error
    return kept
