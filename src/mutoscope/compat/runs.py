"""What predictions and trainings have in common here: each is a generation, made, shown, canceled and listed alike."""

from typing import Any, Literal, get_args
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mutoscope.bootstrap import Runtime
from mutoscope.compat.requests import account_of, id_of, parts_of, stopping_of
from mutoscope.core.errors import NotFound
from mutoscope.generations.as_prediction import PATH, as_replicate_shows, run_url
from mutoscope.generations.asking import Filter, NewGeneration, Webhook
from mutoscope.generations.models import Generation
from mutoscope.generations.states import FINAL
from mutoscope.generations.waiting import until_ended
from mutoscope.replicate_protocol.predictions import CreatePrediction, WebhookEvent
from mutoscope.replicate_protocol.trainings import CreateTraining
from mutoscope.replicate_protocol.wire import PAGE_SIZE
from mutoscope.webhooks.addresses import checked_url

Kind = Literal["prediction", "training"]
DEFAULT_EVENTS: tuple[WebhookEvent, ...] = ("output", "completed")
CANCEL_WAIT_S = 5


async def create(request: Request, new: NewGeneration, *, wait_s: int | None = None) -> Response:
    """Make one, and answer at once, or when it has ended or ``wait_s`` are over."""
    parts = parts_of(request)
    row = await parts.generations.create(account_of(request), new)
    headers = {"Location": run_url(row, parts.links)}
    if wait_s is None:
        return JSONResponse(await _just_created(parts, row), 201, headers)
    row = await until_ended(parts.generations, row, timeout_s=wait_s, stopping=stopping_of(request))
    headers["Preference-Applied"] = f"wait={wait_s}"
    return JSONResponse(await _just_created(parts, row), 201 if row.status in FINAL else 202, headers)


async def get(request: Request, kind: Kind) -> Response:
    """The one that the path names."""
    return JSONResponse(await _show(parts_of(request), await _one(request, kind)))


async def cancel(request: Request, kind: Kind) -> Response:
    """Ask for the end of the one that the path names; what has ended stays as it is.

    Waits a moment for the end, because callers look at the status that comes back.
    """
    parts, row = parts_of(request), await _one(request, kind)
    row = await parts.generations.cancel(row.account_id, row.id)
    row = await until_ended(parts.generations, row, timeout_s=CANCEL_WAIT_S, stopping=stopping_of(request))
    return JSONResponse(await _show(parts, row))


async def page(request: Request, which: Filter) -> Response:
    """Those that fit, newest first."""
    parts = parts_of(request)
    rows = await parts.generations.page(account_of(request), which, limit=PAGE_SIZE + 1)
    shown = rows[:PAGE_SIZE]
    files = await parts.generations.files([row.id for row in shown])
    following = urlencode({**request.query_params, "cursor": shown[-1].id}) if len(rows) > PAGE_SIZE else None
    link = f"{parts.links.base_url}{PATH}/v1/{which.kind}s?{following}" if following else None
    results = [as_replicate_shows(row, files[row.id], parts.links) for row in shown]
    return JSONResponse({"previous": None, "next": link, "results": results})


def webhook_of(parts: Runtime, body: CreatePrediction | CreateTraining) -> Webhook | None:
    """Whom to tell. Raises ``InvalidRequest`` if that is nowhere to be called."""
    if body.webhook is None:
        return None
    checked_url(body.webhook, public_only=parts.settings.environment == "production")
    events = DEFAULT_EVENTS if body.webhook_events_filter is None else body.webhook_events_filter
    return Webhook(body.webhook, [event for event in get_args(WebhookEvent) if event in events])


async def _one(request: Request, kind: Kind) -> Generation:
    run_id = id_of(request, f"{kind}_id")
    row = await parts_of(request).generations.get(account_of(request), run_id)
    if row.kind != kind:
        raise NotFound(f"There is no {kind} {run_id!r} in this account.")
    return row


async def _just_created(parts: Runtime, row: Generation) -> dict[str, Any]:
    """What has not ended is ``starting`` in the answer to a create, however far it is.

    The official clients take any other status for the end, and would give their callers no output.
    """
    shown = await _show(parts, row)
    return shown if row.status in FINAL else shown | {"status": "starting"}


async def _show(parts: Runtime, row: Generation) -> dict[str, Any]:
    return as_replicate_shows(row, (await parts.generations.files([row.id]))[row.id], parts.links)
