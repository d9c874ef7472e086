"""Replicate over plain HTTP.

Not its SDK: that one repeats a create on a time-out, which buys twice (docs/decisions/0002-httpx.md). Here a create is
sent once, and every way it can end is told apart: surely made, surely not made, or not known.
"""

import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import httpx
from pydantic import ValidationError

from mutoscope.core.errors import InvalidRequest
from mutoscope.providers.base import (
    AnswerLost,
    CreateRefused,
    PredictionMissing,
    PredictionRequest,
    ProviderDown,
    ProviderError,
    Throttled,
    WebhookMessage,
)
from mutoscope.replicate_protocol import webhooks
from mutoscope.replicate_protocol.durations import format_cancel_after
from mutoscope.replicate_protocol.predictions import Prediction, PredictionPage
from mutoscope.replicate_protocol.references import ModelReference, parse_reference

TIMEOUT = httpx.Timeout(connect=5, read=30, write=30, pool=10)
# Each call looks at every open connection, so a wide pool is a slow one; Replicate takes 60 calls a second at most.
LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=16)
MAX_PAGES = 20
MAX_RETRY_AFTER_S = 300.0
_RESETS_IN = re.compile(r"resets in ~?(\d+(?:\.\d+)?)\s*s")


class Replicate:
    """The provider ``replicate``.

    Args:
        base_url: ``https://api.replicate.com``, or a local runner's address.
        token: The API token; sent to ``base_url`` only.
        webhook_secrets: Secrets that webhooks may be signed with, newest first.
        webhook_tolerance_s: How old, or how far ahead, a webhook's timestamp may be.
    """

    name = "replicate"

    def __init__(
        self, base_url: str, token: str, *, webhook_secrets: Sequence[str] = (), webhook_tolerance_s: int = 300
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{base_url.rstrip('/')}/v1/",
            headers={"Authorization": f"Bearer {token}", "User-Agent": "mutoscope"},
            timeout=TIMEOUT,
            limits=LIMITS,
            trust_env=False,
        )
        self._secrets = webhook_secrets
        self._tolerance_s = webhook_tolerance_s

    async def create(self, request: PredictionRequest) -> Prediction:
        """Make a prediction; see ``Provider.create``."""
        path, body = _create_call(parse_reference(request.reference), request)
        headers = {"Cancel-After": format_cancel_after(request.cancel_after_s)}
        try:
            answer = await self._http.post(path, json=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ProviderDown(f"Replicate cannot be reached: {_words(error)}") from error
        except httpx.HTTPError as error:
            raise AnswerLost(f"Replicate did not answer a create: {_words(error)}") from error
        if answer.status_code >= 500:
            raise AnswerLost(f"Replicate answered a create with {answer.status_code}: {_detail(answer)}")
        _raise_if_throttled(answer)
        if not answer.is_success:
            raise CreateRefused(f"Replicate refused ({answer.status_code}): {_detail(answer)}")
        try:
            return Prediction.model_validate_json(answer.content)
        except ValidationError as error:
            raise AnswerLost("Replicate accepted a create with an answer that cannot be read") from error

    async def get(self, prediction_id: str) -> Prediction:
        """Ask how a prediction is; see ``Provider.get``."""
        return _prediction(await self._call("GET", f"predictions/{prediction_id}"))

    async def cancel(self, prediction_id: str) -> Prediction:
        """Ask for a prediction to end; see ``Provider.cancel``."""
        return _prediction(await self._call("POST", f"predictions/{prediction_id}/cancel"))

    async def recent(self, since: datetime) -> AsyncIterator[Prediction]:
        """The predictions created since, newest first, at most 20 pages of 100."""
        url: str | None = "predictions"
        params: dict[str, str] | None = {"created_after": since.isoformat()}
        for _ in range(MAX_PAGES):
            page = _page(await self._call("GET", url, params=params))
            for prediction in page.results:
                if prediction.created_at < since:
                    return
                yield prediction
            url, params = page.next, None
            if url is None:
                return
            if _origin(httpx.URL(url)) != _origin(self._http.base_url):
                raise ProviderDown("Replicate's list continues at another server; not followed, for the token's sake")

    async def openapi_schema(self, reference: str) -> dict[str, Any]:
        """The OpenAPI document of a model's newest, or of a given, version."""
        target = parse_reference(reference)
        if target.kind == "deployment":
            release = _object(await self._schema_source(f"deployments/{target.model}"), "current_release")
            target = parse_reference(f"{release.get('model')}:{release.get('version')}")
        if target.model is None:
            raise CreateRefused(f"The schema of {reference} cannot be looked up; write it as owner/name:version")
        if target.version:
            version = await self._schema_source(f"models/{target.model}/versions/{target.version}")
        else:
            version = _object(await self._schema_source(f"models/{target.model}"), "latest_version")
        return _object(version, "openapi_schema")

    def read_webhook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> WebhookMessage:
        """Check and read a webhook; see ``Provider.read_webhook``."""
        message_id = webhooks.verify(self._secrets, headers, body, now=now, tolerance_s=self._tolerance_s)
        try:
            return WebhookMessage(message_id, Prediction.model_validate_json(body))
        except ValidationError as error:
            raise InvalidRequest("The webhook's body is not a prediction") from error

    async def learn_webhook_secret(self) -> None:
        """Ask for the account's own signing secret, unless one was given. For development; production is told it."""
        if not self._secrets:
            key = _document(await self._call("GET", "webhooks/default/secret")).get("key")
            if not isinstance(key, str) or not key.startswith(webhooks.SECRET_PREFIX):
                raise ProviderDown("Replicate's answer is not a webhook secret")
            self._secrets = [key]

    async def account(self) -> dict[str, Any]:
        """Whose token this is; for ``doctor``."""
        return _document(await self._call("GET", "account"))

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def _schema_source(self, path: str) -> dict[str, Any]:
        try:
            return _document(await self._call("GET", path))
        except PredictionMissing as error:
            raise CreateRefused(f"Replicate knows no {path}; check the model's reference") from error

    async def _call(self, method: str, path: str, *, params: Mapping[str, str] | None = None) -> httpx.Response:
        """A call that may be repeated without harm."""
        try:
            answer = await self._http.request(method, path, params=params)
        except httpx.HTTPError as error:
            raise ProviderDown(f"Replicate did not answer {method} {path}: {_words(error)}") from error
        _raise_if_throttled(answer)
        if answer.status_code == 404:
            raise PredictionMissing(f"Replicate knows no {path}")
        if answer.status_code >= 500:
            raise ProviderDown(f"Replicate answered {method} {path} with {answer.status_code}")
        if not answer.is_success:
            raise ProviderError(f"Replicate refused {method} {path} ({answer.status_code}): {_detail(answer)}")
        return answer


def _create_call(target: ModelReference, request: PredictionRequest) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {"input": dict(request.input)}
    if request.webhook:
        body |= {"webhook": request.webhook, "webhook_events_filter": list(request.webhook_events)}
    match target.kind:
        case "official":
            return f"models/{target.model}/predictions", body
        case "deployment":
            return f"deployments/{target.model}/predictions", body
        case "version":
            return "predictions", body | {"version": target.version}


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


def _document(answer: httpx.Response) -> dict[str, Any]:
    if not (body := _body(answer)):
        raise ProviderDown(f"Replicate's answer to {answer.request.url.path} is not what it says it would be")
    return body


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _raise_if_throttled(answer: httpx.Response) -> None:
    """429, by the provider's own clock: the header, else the body's field, else its sentence."""
    if answer.status_code != 429:
        return
    detail = _detail(answer)
    found = _RESETS_IN.search(detail)
    said = (answer.headers.get("retry-after"), _body(answer).get("retry_after"), found and found[1])
    seconds = next((s for s in map(_seconds, said) if s is not None), 5.0)
    raise Throttled(f"Replicate throttles us: {detail}", retry_after_s=min(max(seconds, 0.1), MAX_RETRY_AFTER_S))


def _seconds(value: object) -> float | None:
    try:
        seconds = float(cast("str", value))
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) else None


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def _object(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _detail(answer: httpx.Response) -> str:
    body = _body(answer)
    return str(body.get("detail") or body.get("title") or answer.text)[:500]


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
