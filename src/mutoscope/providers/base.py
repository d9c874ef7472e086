"""The port of the providers room. What matters most is in its errors: may a prediction exist that we do not know of?"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from mutoscope.core.errors import MutoscopeError
from mutoscope.replicate_protocol.predictions import Prediction
from mutoscope.replicate_protocol.streams import StreamEvent

__all__ = [
    "AnswerLost",
    "CreateRefused",
    "FileCopy",
    "FileToSend",
    "Kind",
    "Prediction",
    "PredictionMissing",
    "PredictionRequest",
    "Provider",
    "ProviderDown",
    "ProviderError",
    "Rate",
    "StreamEvent",
    "StreamGone",
    "Throttled",
    "WebhookMessage",
]


class ProviderError(MutoscopeError):
    """Something between us and the provider went wrong."""

    status, code, title = 502, "provider_error", "The provider did not do what was asked"


class CreateRefused(ProviderError):
    """The provider said no: no prediction was made, and asking again for the same will not help."""

    code = "provider_refused"


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a provider says that predictions may be created, for example because its own credit runs low."""

    per_minute: int
    burst: int

    @property
    def interval(self) -> timedelta:
        """The time one create uses up."""
        return timedelta(minutes=1) / self.per_minute


class Throttled(ProviderError):
    """The provider asks us to come back later; it did nothing. With ``rate`` it also says how fast it lets us now."""

    code, retryable = "provider_throttled", True

    def __init__(self, detail: str, *, retry_after_s: float, rate: "Rate | None" = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s
        self.rate = rate


class ProviderDown(ProviderError):
    """The provider could not be reached, or failed on a call that changes nothing; it is safe to ask again."""

    status, code, retryable = 503, "provider_unavailable", True


class AnswerLost(ProviderError):
    """A create was sent and no answer came: the prediction may exist. Never repeat it blindly."""

    code = "provider_answer_lost"


class StreamGone(ProviderError):
    """There is no stream at this address, or no longer; it is no use to connect again."""

    code = "stream_gone"


class PredictionMissing(ProviderError):
    """The provider knows no such prediction."""

    code = "prediction_missing"


Kind = Literal["prediction", "training"]
"""What a run is. A training starts, runs and ends as a prediction does; its output is a new version and its weights."""


@dataclass(frozen=True, slots=True)
class PredictionRequest:
    """What is asked of a provider.

    Attributes:
        reference: What to run, as ``replicate_protocol.references`` reads it.
        input: The model's input.
        webhook: Where to call back, or ``None`` to be polled.
        webhook_events: Which events to call back for.
        cancel_after_s: The provider must end the prediction this long after creating it.
        destination: Of a training: ``owner/name`` of the model that gets the new version.
        stream: Whether the output is to be streamed; the prediction's ``urls["stream"]`` says where, if it can be.
    """

    reference: str
    input: Mapping[str, Any]
    webhook: str | None
    webhook_events: Sequence[str]
    cancel_after_s: int
    destination: str | None = None
    stream: bool = False


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A webhook whose signature is good. Still only a hint: it may be old, doubled or out of order."""

    message_id: str
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class FileToSend:
    """A file of ours that a provider is to have for an input.

    Attributes:
        ref: Our own id of it, kept with the copy, so that a copy whose answer was lost can be found again.
        name: What it is called, with an extension.
        media_type: What it is.
        size_bytes: Its length.
        chunks: Its bytes.
    """

    ref: str
    name: str
    media_type: str
    size_bytes: int
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class FileCopy:
    """A provider's copy of a file: where its models find it, and until when."""

    url: str
    expires_at: datetime


class Provider(Protocol):
    """Runs predictions. Every adapter passes the suite in ``tests/providers``."""

    name: str

    def of(self, kind: Kind) -> "Provider":
        """The same provider for runs of this kind; it is for predictions until something else is said."""
        ...

    async def create(self, request: PredictionRequest) -> Prediction:
        """Make a prediction. Never repeats the call itself.

        Raises:
            CreateRefused: Surely not made, and it is no use trying again.
            Throttled: Surely not made; try again after ``retry_after_s``.
            ProviderDown: Surely not made; try again.
            AnswerLost: Perhaps made.
        """
        ...

    async def get(self, prediction_id: str) -> Prediction:
        """Ask how a prediction is. Raises ``PredictionMissing``, ``Throttled`` or ``ProviderDown``."""
        ...

    async def cancel(self, prediction_id: str) -> Prediction:
        """Ask for a prediction to end; ending one that has ended changes nothing. Raises as ``get`` does."""
        ...

    def recent(self, since: datetime) -> AsyncIterator[Prediction]:
        """The predictions created since, newest first. Raises ``Throttled`` or ``ProviderDown`` while iterating."""
        ...

    def stream(self, url: str, *, last_event_id: str | None) -> AsyncIterator[StreamEvent]:
        """The events of a prediction's stream that follow ``last_event_id``, until the connection ends.

        Raises:
            StreamGone: There is no such stream.
            ProviderDown, BadStream: The connection broke; another may go on behind the last event.
        """
        ...

    async def send_file(self, file: FileToSend) -> FileCopy:
        """Give the provider a copy of a file. Never repeats the call itself; a copy too many does no harm.

        Raises:
            CreateRefused: It does not take the file.
            Throttled, ProviderDown: As ``get``; a copy may have been made all the same, see ``find_file``.
        """
        ...

    async def find_file(self, ref: str) -> FileCopy | None:
        """The newest copy that was made of a file, if there is one still. Raises as ``get`` does."""
        ...

    async def openapi_schema(self, reference: str) -> dict[str, Any]:
        """The OpenAPI document of what would be run. Raises ``CreateRefused`` (no such model) or as ``get`` does."""
        ...

    async def renew_webhook_secret(self, *, now: datetime) -> bool:
        """A signature did not match: ask once, and not often, with which secret webhooks are signed now.

        Returns:
            Whether it is another one than was known, so that it is worth reading the webhook again.
        """
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> WebhookMessage:
        """Check a webhook's signature and age, and read it. Raises ``InvalidSignature`` or ``InvalidRequest``."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...
