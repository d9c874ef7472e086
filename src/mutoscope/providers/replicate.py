"""Replicate over plain HTTP.

Not its SDK: that one repeats a create on a time-out, which buys twice (docs/decisions/0002-httpx.md). Here a create is
sent once, and every way it can end is told apart: surely made, surely not made, or not known.
"""

import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx
from pydantic import ValidationError

from mutoscope.core.errors import InvalidRequest
from mutoscope.providers import file_copies
from mutoscope.providers.answers import document, member
from mutoscope.providers.base import (
    AnswerLost,
    CreateRefused,
    FileCopy,
    FileToSend,
    Kind,
    PredictionMissing,
    PredictionRequest,
    ProviderDown,
    StreamEvent,
    WebhookMessage,
)
from mutoscope.providers.calls import Calls
from mutoscope.providers.streams import read_stream
from mutoscope.providers.tokens import Tokens
from mutoscope.providers.webhook_secrets import WebhookSecrets
from mutoscope.replicate_protocol import webhooks
from mutoscope.replicate_protocol.durations import format_cancel_after
from mutoscope.replicate_protocol.predictions import Prediction, PredictionPage
from mutoscope.replicate_protocol.references import ModelReference, parse_reference

MAX_PAGES = 20


class Replicate:
    """The provider ``replicate``.

    Args:
        base_url: ``https://api.replicate.com``, or a local runner's address.
        tokens: The account's API tokens, or its one token; sent to ``base_url`` only.
        name: What the account is called among ours.
        webhook_secrets: Secrets that webhooks may be signed with, newest first.
        webhook_tolerance_s: How old, or how far ahead, a webhook's timestamp may be.
    """

    kind: Kind = "prediction"

    def __init__(
        self,
        base_url: str,
        tokens: Tokens | str,
        *,
        name: str = "replicate",
        webhook_secrets: Sequence[str] = (),
        webhook_tolerance_s: int = 300,
    ) -> None:
        self._calls = Calls(base_url, Tokens([tokens]) if isinstance(tokens, str) else tokens)
        self.name = name
        self._secrets = WebhookSecrets(webhook_secrets, self._ask_for_secret)
        self._tolerance_s = webhook_tolerance_s

    def of(self, kind: Kind) -> "Replicate":
        """The same account and connections for another kind of run; see ``Provider.of``."""
        if kind == self.kind:
            return self
        other = copy.copy(self)
        other.kind = kind
        return other

    async def create(self, request: PredictionRequest) -> Prediction:
        """Make a prediction; see ``Provider.create``."""
        make = _create_training if self.kind == "training" else _create_call
        path, body = make(parse_reference(request.reference), request)
        headers = {"Cancel-After": format_cancel_after(request.cancel_after_s)}
        answer = await self._calls.create(path, body, headers)
        try:
            return Prediction.model_validate_json(answer.content)
        except ValidationError as error:
            raise AnswerLost("Replicate accepted a create with an answer that cannot be read") from error

    async def get(self, prediction_id: str) -> Prediction:
        """Ask how a prediction is; see ``Provider.get``."""
        return _prediction(await self._calls.repeatable("GET", f"{self.kind}s/{prediction_id}"))

    async def cancel(self, prediction_id: str) -> Prediction:
        """Ask for a prediction to end; see ``Provider.cancel``."""
        return _prediction(await self._calls.repeatable("POST", f"{self.kind}s/{prediction_id}/cancel"))

    async def recent(self, since: datetime) -> AsyncIterator[Prediction]:
        """The predictions created since, newest first, at most 20 pages of 100."""
        url: str | None = f"{self.kind}s"
        params: dict[str, str] | None = {"created_after": since.isoformat()}
        for _ in range(MAX_PAGES):
            page = _page(await self._calls.repeatable("GET", url, params=params))
            for prediction in page.results:
                if prediction.created_at < since:
                    return
                yield prediction
            url, params = page.next, None
            if url is None:
                return
            if not self._calls.is_home(httpx.URL(url)):
                raise ProviderDown("Replicate's list continues at another server; not followed, for the token's sake")

    def stream(self, url: str, *, last_event_id: str | None) -> AsyncIterator[StreamEvent]:
        """Read server-sent events; see ``Provider.stream``."""
        return read_stream(self._calls, url, last_event_id)

    async def send_file(self, file: FileToSend) -> FileCopy:
        """Upload a file for an input; see ``Provider.send_file``."""
        return await file_copies.send_file(self._calls, file)

    async def find_file(self, ref: str) -> FileCopy | None:
        """Find a file that was uploaded; see ``Provider.find_file``."""
        return await file_copies.find_file(self._calls, ref)

    async def openapi_schema(self, reference: str) -> dict[str, Any]:
        """The OpenAPI document of a model's newest, or of a given, version."""
        target = parse_reference(reference)
        if target.kind == "deployment":
            release = member(await self._schema_source(f"deployments/{target.model}"), "current_release")
            target = parse_reference(f"{release.get('model')}:{release.get('version')}")
        if target.model is None:
            raise CreateRefused(f"The schema of {reference} cannot be looked up; write it as owner/name:version")
        if target.version:
            version = await self._schema_source(f"models/{target.model}/versions/{target.version}")
        else:
            version = member(await self._schema_source(f"models/{target.model}"), "latest_version")
        return member(version, "openapi_schema")

    async def page(self, path: str, query: Mapping[str, str], search: str | None = None) -> httpx.Response:
        """A page as this account sees it; see ``Calls.page``."""
        return await self._calls.page(path, query, search)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> WebhookMessage:
        """Check and read a webhook; see ``Provider.read_webhook``."""
        known = self._secrets.current(now)
        message_id = webhooks.verify(known, headers, body, now=now, tolerance_s=self._tolerance_s)
        try:
            return WebhookMessage(message_id, Prediction.model_validate_json(body))
        except ValidationError as error:
            raise InvalidRequest("The webhook's body is not a prediction") from error

    async def learn_webhook_secret(self, *, now: datetime) -> None:
        """Ask for the account's own signing secret, unless one is known. For development; production is told it."""
        if not self._secrets:
            await self._secrets.renew(now)

    async def renew_webhook_secret(self, *, now: datetime) -> bool:
        """Ask whether the signing secret was changed; see ``Provider.renew_webhook_secret``."""
        return await self._secrets.renew(now)

    async def _ask_for_secret(self) -> str:
        key = document(await self._calls.repeatable("GET", "webhooks/default/secret")).get("key")
        if not isinstance(key, str) or not key.startswith(webhooks.SECRET_PREFIX):
            raise ProviderDown("Replicate's answer is not a webhook secret")
        return key

    async def webhook_secret(self) -> str:
        """The secret that the account's webhooks are signed with now; for ``doctor``."""
        return await self._ask_for_secret()

    async def account(self) -> dict[str, Any]:
        """Whose token this is; for ``doctor``."""
        return document(await self._calls.repeatable("GET", "account"))

    async def aclose(self) -> None:
        """Close connections."""
        await self._calls.aclose()

    async def _schema_source(self, path: str) -> dict[str, Any]:
        try:
            return document(await self._calls.repeatable("GET", path))
        except PredictionMissing as error:
            named = path.removeprefix("models/").replace("/versions/", ":")
            raise CreateRefused(
                f"Replicate has no {named}, or none that this service's account there may run; check the reference."
            ) from error


def _create_call(target: ModelReference, request: PredictionRequest) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {"input": dict(request.input)}
    if request.stream:
        body["stream"] = True
    if request.webhook:
        body |= {"webhook": request.webhook, "webhook_events_filter": list(request.webhook_events)}
    match target.kind:
        case "official":
            return f"models/{target.model}/predictions", body
        case "deployment":
            return f"deployments/{target.model}/predictions", body
        case "version":
            return "predictions", body | {"version": target.version}


def _create_training(target: ModelReference, request: PredictionRequest) -> tuple[str, dict[str, Any]]:
    _, body = _create_call(target, request)
    body["destination"] = request.destination
    return f"models/{target.model}/versions/{body.pop('version', None)}/trainings", body


def _prediction(answer: httpx.Response) -> Prediction:
    try:
        return Prediction.model_validate_json(answer.content)
    except ValidationError as error:
        raise ProviderDown("Replicate's answer is not a prediction") from error


def _page(answer: httpx.Response) -> PredictionPage:
    try:
        return PredictionPage.model_validate_json(answer.content)
    except ValidationError as error:
        raise ProviderDown("Replicate's answer is not a list of predictions") from error
