"""The fake of the provider port: predictions in a dictionary, on a clock that the caller owns; for tests and trials.

Nothing happens in it by itself but ``Cancel-After``. A test says how the next creates go, starts and finishes
predictions as it likes, breaks calls and mends them, and sends webhooks whenever, however often and however late.
"""

import copy
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from mutoscope.core.clock import Clock
from mutoscope.core.errors import InvalidRequest
from mutoscope.providers.base import (
    CreateRefused,
    FileCopy,
    FileToSend,
    Kind,
    PredictionMissing,
    PredictionRequest,
    ProviderError,
    StreamEvent,
    WebhookMessage,
)
from mutoscope.providers.webhook_secrets import WebhookSecrets
from mutoscope.replicate_protocol import webhooks
from mutoscope.replicate_protocol.predictions import Prediction
from mutoscope.replicate_protocol.references import parse_reference

Call = Literal["create", "get", "cancel", "recent", "openapi_schema", "send_file", "find_file", "stream", "secret"]
STREAMS = "https://stream.fake/"
FILE_LIFE = timedelta(days=1)
ANY_INPUT: dict[str, Any] = {"components": {"schemas": {"Input": {"type": "object"}}}}


@dataclass(frozen=True, slots=True)
class Turn:
    """How one create goes: how many predictions it really makes, and the error that comes instead of an answer."""

    makes: int = 1
    error: ProviderError | None = None


class FakeProvider:
    """A ``Provider`` that does what it is told.

    Args:
        clock: The time.
        schemas: The ``openapi_schema`` of each reference it knows.
        name: What it is called.

    Attributes:
        script: How the next creates go, first to last; after that all are accepted.
        predictions: Everything it ever made, by id, the oldest first.
        destinations: The models that can be trained into.
        files: The bytes of every file it was sent, with whose copy they are, the oldest first.
        broken: Calls that fail, and with what.
        lists_nothing: Whether its list is empty, whatever there is.
        cancels_nothing: Whether a cancel is acknowledged and forgotten.
        secrets: What we know of the secrets that it signs with.
        keeps_deadlines: Whether ``Cancel-After`` is honoured.
    """

    def __init__(self, clock: Clock, schemas: Mapping[str, dict[str, Any]], *, name: str = "fake") -> None:
        self.name = name
        self.script: deque[Turn] = deque()
        self.predictions: dict[str, Prediction] = {}
        self.destinations = {"local/fox"}
        self.files: list[tuple[str, bytes, FileCopy]] = []
        self.broken: dict[Call, ProviderError] = {}
        self.lists_nothing = self.cancels_nothing = False
        self.keeps_deadlines = True
        self.kind: Kind = "prediction"
        self._kinds: dict[Kind, FakeProvider] = {"prediction": self}
        self._made_as: dict[str, Kind] = {}
        self._clock, self._schemas = clock, schemas
        self._secret = webhooks.new_webhook_secret()
        self.secrets = WebhookSecrets([self._secret], self._tell_secret)

    def of(self, kind: Kind) -> "FakeProvider":
        """See ``Provider.of``. The other one shares what there is, and can be troubled by itself."""
        if kind not in self._kinds:
            other = copy.copy(self)
            other.kind = kind
            self._kinds[kind] = other
        return self._kinds[kind]

    async def create(self, request: PredictionRequest) -> Prediction:
        """Do what the script says next; see ``Provider.create``."""
        self._check("create")
        self._known(request.reference)
        if self.kind == "training" and request.destination not in self.destinations:
            raise CreateRefused(f"There is no model {request.destination} to train into")
        turn = self.script.popleft() if self.script else Turn()
        made = [self._make(request) for _ in range(turn.makes)]
        if turn.error:
            raise turn.error
        return made[-1]

    async def get(self, prediction_id: str) -> Prediction:
        """See ``Provider.get``."""
        self._check("get")
        self._check_kind(prediction_id)
        return self.look(prediction_id)

    async def cancel(self, prediction_id: str) -> Prediction:
        """See ``Provider.cancel``."""
        self._check("cancel")
        self._check_kind(prediction_id)
        if not self.cancels_nothing:
            self.finish(prediction_id, "canceled")
        return self.look(prediction_id)

    async def recent(self, since: datetime) -> AsyncIterator[Prediction]:
        """See ``Provider.recent``."""
        self._check("recent")
        for prediction_id in [] if self.lists_nothing else list(reversed(self.predictions)):
            if self._made_as[prediction_id] == self.kind and (found := self.look(prediction_id)).created_at >= since:
                yield found

    async def stream(self, url: str, *, last_event_id: str | None) -> AsyncIterator[StreamEvent]:
        """See ``Provider.stream``: the pieces of the output so far, each an event, and the end if it has come."""
        self._check("stream")
        found = self.look(url.removeprefix(STREAMS))
        pieces: list[str] = list(found.output or [])
        had = int(last_event_id) + 1 if last_event_id else 0
        for number in range(had, len(pieces)):
            yield StreamEvent("output", pieces[number], str(number))
        if found.terminal:
            yield StreamEvent("done", "{}", str(len(pieces)))

    async def send_file(self, file: FileToSend) -> FileCopy:
        """See ``Provider.send_file``. The bytes are taken before the call fails, as when an answer is lost."""
        copy = FileCopy(f"https://files.fake/{len(self.files)}/{file.name}", self._clock.now() + FILE_LIFE)
        self.files.append((file.ref, b"".join([chunk async for chunk in file.chunks]), copy))
        self._check("send_file")
        return copy

    async def find_file(self, ref: str) -> FileCopy | None:
        """See ``Provider.find_file``."""
        self._check("find_file")
        found = [copy for whose, _, copy in self.files if whose == ref and copy.expires_at > self._clock.now()]
        return found[-1] if found else None

    async def openapi_schema(self, reference: str) -> dict[str, Any]:
        """See ``Provider.openapi_schema``."""
        self._check("openapi_schema")
        return self._known(reference)

    async def renew_webhook_secret(self, *, now: datetime) -> bool:
        """See ``Provider.renew_webhook_secret``."""
        return await self.secrets.renew(now)

    async def _tell_secret(self) -> str:
        self._check("secret")
        return self._secret

    def change_webhook_secret(self) -> None:
        """From now on it signs with another secret, and tells nobody who does not ask."""
        self._secret = webhooks.new_webhook_secret()

    def read_webhook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> WebhookMessage:
        """Read what ``webhook`` made; see ``Provider.read_webhook``."""
        message_id = webhooks.verify(self.secrets.current(now), headers, body, now=now)
        try:
            return WebhookMessage(message_id, Prediction.model_validate_json(body))
        except ValidationError as error:
            raise InvalidRequest("The webhook's body is not a prediction") from error

    async def aclose(self) -> None:
        """Nothing is held open."""

    def webhook(self, prediction_id: str, message_id: str) -> tuple[dict[str, str], bytes]:
        """The headers and body of a webhook about a prediction as it is now."""
        body = self.look(prediction_id).model_dump_json().encode()
        timestamp = int(self._clock.now().timestamp())
        signature = webhooks.sign(self._secret, message_id, timestamp, body)
        parts = {"id": message_id, "timestamp": str(timestamp), "signature": signature}
        return {f"webhook-{name}": value for name, value in parts.items()}, body

    def look(self, prediction_id: str) -> Prediction:
        """A copy of a prediction as it is now. Raises ``PredictionMissing``."""
        found = self.predictions.get(prediction_id)
        if found is None:
            raise PredictionMissing(f"There is no prediction {prediction_id}")
        late = found.deadline is not None and found.deadline <= self._clock.now()
        if late and self.keeps_deadlines and not found.terminal:
            self._end(found, "canceled" if found.started_at else "aborted", {})
        return self.predictions[prediction_id].model_copy()

    def say(self, prediction_id: str, *pieces: str) -> None:
        """The model goes on with its output."""
        self.start(prediction_id)
        found = self.look(prediction_id)
        self.predictions[prediction_id] = found.model_copy(update={"output": [*(found.output or []), *pieces]})

    def start(self, prediction_id: str, *, logs: str | None = None) -> None:
        """The model begins to run, or goes on, and says something; nothing if it has ended."""
        found = self.look(prediction_id)
        if not found.terminal:
            running = {"status": "processing", "started_at": found.started_at or self._clock.now(), "logs": logs}
            self.predictions[prediction_id] = found.model_copy(update=running)

    def finish(self, prediction_id: str, status: str, **fields: Any) -> None:
        """The prediction ends with this status, and ``output``, ``error`` or anything else; once ended it stays so."""
        found = self.look(prediction_id)
        if not found.terminal:
            self._end(found, status, fields)

    def billed(self) -> list[Prediction]:
        """What it would ask money for: everything that ran, also if it failed or was canceled meanwhile."""
        return [one for one in map(self.look, self.predictions) if one.started_at or one.status == "succeeded"]

    def _check(self, call: Call) -> None:
        if call in self.broken:
            raise self.broken[call]

    def _check_kind(self, prediction_id: str) -> None:
        if self._made_as.get(prediction_id, self.kind) != self.kind:
            raise PredictionMissing(f"There is no {self.kind} {prediction_id}")

    def _known(self, reference: str) -> dict[str, Any]:
        if reference not in self._schemas:
            raise CreateRefused(f"There is no {reference}")
        return self._schemas[reference]

    def _make(self, request: PredictionRequest) -> Prediction:
        target, now = parse_reference(request.reference), self._clock.now()
        made = Prediction(
            id=f"p{len(self.predictions) + 1}",
            model=target.model or "",
            version=target.version or "hidden",
            deployment=target.model if target.kind == "deployment" else None,
            input=dict(request.input),
            status="starting",
            created_at=now,
            deadline=now + timedelta(seconds=request.cancel_after_s),
            webhook=request.webhook,
        )
        if request.stream:
            made.urls["stream"] = STREAMS + made.id
        self.predictions[made.id], self._made_as[made.id] = made, self.kind
        return made.model_copy()

    def _end(self, found: Prediction, status: str, fields: dict[str, Any]) -> None:
        now = self._clock.now()
        metrics = {"predict_time": (now - found.started_at).total_seconds()} if found.started_at else {}
        changes = {"status": status, "completed_at": now, "metrics": metrics, **fields}
        self.predictions[found.id] = found.model_copy(update=changes)
