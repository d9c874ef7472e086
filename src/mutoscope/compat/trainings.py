"""Trainings: each one is a generation whose model is an entry of the kind ``training``, which has its own price."""

from starlette.requests import Request
from starlette.responses import Response

from mutoscope.compat import runs
from mutoscope.compat.requests import cursor_of, guarded, parts_of, printable_header, read_body
from mutoscope.generations.asking import Filter, NewGeneration
from mutoscope.replicate_protocol.references import parse_reference
from mutoscope.replicate_protocol.trainings import CreateTraining


async def create(request: Request) -> Response:
    """``POST /models/{owner}/{name}/versions/{id}/trainings``."""
    parts, body = parts_of(request), await read_body(request, CreateTraining)
    reference = parse_reference("{owner}/{name}:{version_id}".format_map(request.path_params))
    new = NewGeneration(
        model=parts.catalog.resolve(reference, kind="training").alias,
        input=body.input,
        idempotency_key=printable_header(request, "idempotency-key"),
        webhook=runs.webhook_of(parts, body),
        destination=body.destination,
    )
    return await runs.create(request, new)


async def get(request: Request) -> Response:
    """``GET /trainings/{id}``."""
    return await runs.get(request, "training")


async def cancel(request: Request) -> Response:
    """``POST /trainings/{id}/cancel``."""
    return await runs.cancel(request, "training")


async def page(request: Request) -> Response:
    """``GET /trainings``, newest first."""
    return await runs.page(request, Filter(kind="training", before=cursor_of(request)))


ROUTES = [
    guarded("/v1/models/{owner}/{name}/versions/{version_id}/trainings", create, "POST"),
    guarded("/v1/trainings", page, "GET"),
    guarded("/v1/trainings/{training_id}", get, "GET"),
    guarded("/v1/trainings/{training_id}/cancel", cancel, "POST"),
]
