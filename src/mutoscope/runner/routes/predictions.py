"""``/v1/predictions`` and the creates of models and deployments."""

import asyncio
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mutoscope.core.errors import InvalidRequest
from mutoscope.replicate_protocol.durations import parse_cancel_after, parse_prefer_wait
from mutoscope.replicate_protocol.predictions import CreatePrediction, CreateVersionPrediction
from mutoscope.replicate_protocol.references import ModelReference, parse_reference
from mutoscope.replicate_protocol.wire import next_link
from mutoscope.runner.admission import Create
from mutoscope.runner.auth import bearer
from mutoscope.runner.connection import drop
from mutoscope.runner.faults import Faults
from mutoscope.runner.problems import Broken, Overloaded, Throttled
from mutoscope.runner.records import Live
from mutoscope.runner.routes.body import named, read_model, runner

_EARLY_PATIENCE_S = 30


async def create_by_version(request: Request) -> Response:
    """``POST /v1/predictions``."""
    body = await read_model(request, CreateVersionPrediction)
    return await _create(request, parse_reference(body.version), body)


async def create_by_model(request: Request) -> Response:
    """``POST /v1/models/{owner}/{name}/predictions``."""
    body = await read_model(request, CreatePrediction)
    return await _create(request, parse_reference(named(request)), body)


async def create_by_deployment(request: Request) -> Response:
    """``POST /v1/deployments/{owner}/{name}/predictions``."""
    body = await read_model(request, CreatePrediction)
    return await _create(request, parse_reference(f"deployments/{named(request)}"), body)


async def _create(request: Request, reference: ModelReference, body: CreatePrediction) -> Response:
    service = runner(request)
    service.counts["received"] += 1
    faults = service.dice.roll(str(reference), body.input)
    asked = request.headers.get("x-runner-faults") or request.query_params.get("runner_faults")
    faults = faults.merged(Faults.parse(asked))
    await _before(request, faults)
    cancel_after = request.headers.get("cancel-after")
    wait_s = parse_prefer_wait(request.headers.get("prefer"))
    create = Create(reference, body, None if cancel_after is None else parse_cancel_after(cancel_after), faults)
    live = service.accept(create, bearer(request.scope))
    shown = service.show(live.record)
    await _after(request, live)
    if wait_s is None:
        return JSONResponse(shown, 201)
    await _within(live.finished, wait_s)
    status = 201 if live.record.terminal else 202
    return JSONResponse(service.show(live.record), status, {"preference-applied": f"wait={wait_s}"})


async def _before(request: Request, faults: Faults) -> None:
    """Faults of a create that is not accepted."""
    if faults.create_delay_s:
        await asyncio.sleep(faults.create_delay_s)
    if faults.refuse_then_drop:
        await drop(request)
    if faults.create_429 is not None:
        raise Throttled(faults.create_429)
    if faults.create_500:
        raise Broken("Internal server error (asked for by a fault); the prediction was not accepted.")
    if faults.create_503:
        raise Overloaded("Service unavailable (asked for by a fault); the prediction was not accepted.")


async def _after(request: Request, live: Live) -> None:
    """Faults of a create that was accepted."""
    if live.faults.webhook_early and live.record.webhook:
        await _within(live.hooked, _EARLY_PATIENCE_S)
    if live.faults.accept_then_drop:
        await drop(request)
    if live.faults.accept_then_500:
        raise Broken("Internal server error.")


async def _within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def get(request: Request) -> Response:
    """``GET /v1/predictions/{id}``."""
    service, prediction_id = runner(request), request.path_params["prediction_id"]
    service.counts["gets"] += 1
    if spoilt := service.spoilt.get(prediction_id):
        hold_s, spoilt.get_timeout_s = spoilt.get_timeout_s, 0.0
        await asyncio.sleep(hold_s)
        if spoilt.get_500:
            spoilt.get_500 -= 1
            raise Broken("Internal server error.")
    return JSONResponse(service.show(service.find(prediction_id)))


async def cancel(request: Request) -> Response:
    """``POST /v1/predictions/{id}/cancel``."""
    service, prediction_id = runner(request), request.path_params["prediction_id"]
    service.counts["cancels"] += 1
    spoilt = service.spoilt.get(prediction_id)
    if spoilt and spoilt.cancel_lost:
        spoilt.cancel_lost -= 1
        return JSONResponse(service.show(service.find(prediction_id)))
    return JSONResponse(service.show(service.cancel(prediction_id)))


async def list_page(request: Request) -> Response:
    """``GET /v1/predictions``."""
    service, query = runner(request), request.query_params
    service.counts["lists"] += 1
    if query.get("source", "web") != "web":
        raise InvalidRequest("The source to filter by can only be 'web'.")
    after, before = _instant(query.get("created_after")), _instant(query.get("created_before"))
    records, last = service.page("prediction", query.get("cursor"), after, before)
    if service.empty_lists:
        service.empty_lists -= 1
        records, last = [], None
    if "source" in query:
        records, last = [], None  # all that is here came through the API
    link = next_link(f"{service.base_url}/v1/predictions", dict(query), last)
    return JSONResponse({"previous": None, "next": link, "results": [service.show(one) for one in records]})


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise InvalidRequest(f"{text[:40]!r} is not a date and time in ISO 8601.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


ROUTES = [
    Route("/v1/predictions", create_by_version, methods=["POST"]),
    Route("/v1/predictions", list_page, methods=["GET"]),
    Route("/v1/predictions/{prediction_id}", get, methods=["GET"]),
    Route("/v1/predictions/{prediction_id}/cancel", cancel, methods=["POST"]),
    Route("/v1/models/{owner}/{name}/predictions", create_by_model, methods=["POST"]),
    Route("/v1/deployments/{owner}/{name}/predictions", create_by_deployment, methods=["POST"]),
]
