"""Predictions: each one is a generation, and its id is the generation's."""

from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mutoscope.bootstrap import Runtime
from mutoscope.compat.requests import (
    account_of,
    cursor_of,
    guarded,
    id_of,
    parts_of,
    printable_header,
    read_body,
    stopping_of,
)
from mutoscope.core.errors import InvalidRequest
from mutoscope.generations.as_prediction import PATH, as_prediction
from mutoscope.generations.asking import Filter, NewGeneration, Webhook
from mutoscope.generations.models import Generation
from mutoscope.generations.states import FINAL
from mutoscope.generations.waiting import until_ended
from mutoscope.replicate_protocol.durations import parse_cancel_after, parse_prefer_wait
from mutoscope.replicate_protocol.predictions import CreatePrediction, CreateVersionPrediction, WebhookEvent
from mutoscope.replicate_protocol.references import ModelReference, parse_reference
from mutoscope.replicate_protocol.wire import PAGE_SIZE
from mutoscope.webhooks.addresses import checked_url

DEFAULT_EVENTS: tuple[WebhookEvent, ...] = ("output", "completed")
CANCEL_WAIT_S = 5


async def create_by_version(request: Request) -> Response:
    """``POST /predictions``."""
    body = await read_body(request, CreateVersionPrediction)
    return await _create(request, parse_reference(body.version), body)


async def create_by_model(request: Request) -> Response:
    """``POST /models/{owner}/{name}/predictions``."""
    body = await read_body(request, CreatePrediction)
    return await _create(request, parse_reference("{owner}/{name}".format_map(request.path_params)), body)


async def create_by_deployment(request: Request) -> Response:
    """``POST /deployments/{owner}/{name}/predictions``."""
    body = await read_body(request, CreatePrediction)
    return await _create(request, parse_reference("deployments/{owner}/{name}".format_map(request.path_params)), body)


async def _create(request: Request, reference: ModelReference, body: CreatePrediction) -> Response:
    parts = parts_of(request)
    wait_s = parse_prefer_wait(request.headers.get("prefer"))
    new = _asked(request, reference, body)
    row = await parts.generations.create(account_of(request), new)
    headers = {"Location": f"{parts.links.base_url}{PATH}/v1/predictions/{row.id}"}
    if wait_s is None:
        return JSONResponse(await _just_created(parts, row), 201, headers)
    row = await until_ended(parts.generations, row, timeout_s=wait_s, stopping=stopping_of(request))
    headers["Preference-Applied"] = f"wait={wait_s}"
    return JSONResponse(await _just_created(parts, row), 201 if row.status in FINAL else 202, headers)


def _asked(request: Request, reference: ModelReference, body: CreatePrediction) -> NewGeneration:
    parts = parts_of(request)
    cancel_after = request.headers.get("cancel-after")
    entry = parts.catalog.resolve(reference)
    return NewGeneration(
        model=entry.alias,
        input=body.input,
        idempotency_key=printable_header(request, "idempotency-key"),
        cancel_after_s=None if cancel_after is None else parse_cancel_after(cancel_after),
        webhook=_webhook(parts, body),
        # As at Replicate it is the model that decides, where that is known.
        stream="if_able" if entry.reference.model else body.stream,
    )


def _webhook(parts: Runtime, body: CreatePrediction) -> Webhook | None:
    if body.webhook is None:
        return None
    checked_url(body.webhook, public_only=parts.settings.environment == "production")
    events = DEFAULT_EVENTS if body.webhook_events_filter is None else body.webhook_events_filter
    return Webhook(body.webhook, [event for event in get_args(WebhookEvent) if event in events])


async def _just_created(parts: Runtime, row: Generation) -> dict[str, Any]:
    """What has not ended is ``starting`` in the answer to a create, however far it is.

    The official clients take any other status for the end, and would give their callers no output.
    """
    shown = await _show(parts, row)
    return shown if row.status in FINAL else shown | {"status": "starting"}


async def get(request: Request) -> Response:
    """``GET /predictions/{id}``."""
    parts = parts_of(request)
    row = await parts.generations.get(account_of(request), id_of(request, "prediction_id"))
    return JSONResponse(await _show(parts, row))


async def cancel(request: Request) -> Response:
    """``POST /predictions/{id}/cancel``: what has ended stays as it is.

    Waits a moment for the end, because callers look at the status that comes back.
    """
    parts = parts_of(request)
    row = await parts.generations.cancel(account_of(request), id_of(request, "prediction_id"))
    row = await until_ended(parts.generations, row, timeout_s=CANCEL_WAIT_S, stopping=stopping_of(request))
    return JSONResponse(await _show(parts, row))


async def page(request: Request) -> Response:
    """``GET /predictions``, newest first."""
    parts, query = parts_of(request), request.query_params
    which = Filter(
        before=cursor_of(request),
        source=_source(query.get("source")),
        created_after=_instant("created_after", query.get("created_after")),
        created_before=_instant("created_before", query.get("created_before")),
    )
    rows = await parts.generations.page(account_of(request), which, limit=PAGE_SIZE + 1)
    shown = rows[:PAGE_SIZE]
    files = await parts.generations.files([row.id for row in shown])
    following = urlencode({**query, "cursor": shown[-1].id}) if len(rows) > PAGE_SIZE else None
    link = f"{parts.links.base_url}{PATH}/v1/predictions?{following}" if following else None
    results = [as_prediction(row, files[row.id], parts.links) for row in shown]
    return JSONResponse({"previous": None, "next": link, "results": results})


async def _show(parts: Runtime, row: Generation) -> dict[str, Any]:
    return as_prediction(row, (await parts.generations.files([row.id]))[row.id], parts.links)


def _source(text: str | None) -> str | None:
    if text not in (None, "web"):
        raise InvalidRequest("source may only be 'web'.")
    return text


def _instant(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))  # a plus in a query means a space
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"{name}: {text[:40]!r} is not a date and time in ISO 8601.") from error


ROUTES = [
    guarded("/v1/predictions", create_by_version, "POST"),
    guarded("/v1/predictions", page, "GET"),
    guarded("/v1/predictions/{prediction_id}", get, "GET"),
    guarded("/v1/predictions/{prediction_id}/cancel", cancel, "POST"),
    guarded("/v1/models/{owner}/{name}/predictions", create_by_model, "POST"),
    guarded("/v1/deployments/{owner}/{name}/predictions", create_by_deployment, "POST"),
]
