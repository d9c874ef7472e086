"""Predictions: each one is a generation, and its id is the generation's."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mutoscope.compat import runs
from mutoscope.compat.requests import cursor_of, guarded, parts_of, printable_header, read_body
from mutoscope.core.errors import InvalidRequest
from mutoscope.generations.asking import Filter, NewGeneration
from mutoscope.replicate_protocol.durations import parse_cancel_after, parse_prefer_wait
from mutoscope.replicate_protocol.predictions import CreatePrediction, CreateVersionPrediction
from mutoscope.replicate_protocol.references import ModelReference, parse_reference


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
    wait_s = parse_prefer_wait(request.headers.get("prefer"))
    return await runs.create(request, _asked(request, reference, body), wait_s=wait_s)


def _asked(request: Request, reference: ModelReference, body: CreatePrediction) -> NewGeneration:
    parts = parts_of(request)
    cancel_after = request.headers.get("cancel-after")
    entry = parts.catalog.resolve(reference)
    return NewGeneration(
        model=entry.alias,
        input=body.input,
        idempotency_key=printable_header(request, "idempotency-key"),
        cancel_after_s=None if cancel_after is None else parse_cancel_after(cancel_after),
        webhook=runs.webhook_of(parts, body),
        # As at Replicate it is the model that decides, where that is known.
        stream="if_able" if entry.reference.model else body.stream,
    )


async def get(request: Request) -> Response:
    """``GET /predictions/{id}``."""
    return await runs.get(request, "prediction")


async def cancel(request: Request) -> Response:
    """``POST /predictions/{id}/cancel``."""
    return await runs.cancel(request, "prediction")


async def page(request: Request) -> Response:
    """``GET /predictions``, newest first."""
    query = request.query_params
    which = Filter(
        kind="prediction",
        before=cursor_of(request),
        created_after=_instant("created_after", query.get("created_after")),
        created_before=_instant("created_before", query.get("created_before")),
    )
    source = query.get("source")
    if source is None:
        return await runs.page(request, which)
    if source != "web":
        raise InvalidRequest("source may only be 'web'.")
    return JSONResponse({"previous": None, "next": None, "results": []})  # all that is here came through the API


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
