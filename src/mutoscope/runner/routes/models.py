"""``/v1/models``: list, search, create, get, change and delete; READMEs and examples."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mutoscope.core.errors import InvalidRequest
from mutoscope.replicate_protocol import models as wire
from mutoscope.runner.routes.body import named, read_body, read_model, runner
from mutoscope.runner.routes.pages import page, show
from mutoscope.runner.searching import find_models

_MAX_QUERY_BYTES = 10_000
_SORTS = {"model_created_at", "latest_version_created_at"}
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


async def list_page(request: Request) -> Response:
    """``GET /v1/models``."""
    service, query = runner(request), request.query_params
    sort_by, direction = query.get("sort_by"), query.get("sort_direction", "desc")
    if direction not in {"asc", "desc"} or (sort_by is not None and sort_by not in _SORTS):
        raise InvalidRequest(f"Models are sorted by {' or '.join(sorted(_SORTS))}, asc or desc.")
    models = service.library.listed(service.base_url)
    if sort_by == "latest_version_created_at":
        models.sort(key=_latest, reverse=True)
    return page(request, models if direction == "desc" else models[::-1])


def _latest(model: wire.Model) -> datetime:
    return model.latest_version.created_at if model.latest_version else _NEVER


async def search(request: Request) -> Response:
    """``QUERY /v1/models``: the body is the text to search for."""
    service = runner(request)
    query = (await read_body(request, _MAX_QUERY_BYTES)).decode(errors="replace")
    return page(request, [model for model, _ in find_models(query, service.library.listed(service.base_url))])


async def create(request: Request) -> Response:
    """``POST /v1/models``."""
    service = runner(request)
    return show(service.library.create(await read_model(request, wire.CreateModel), service.base_url), 201)


async def get(request: Request) -> Response:
    """``GET /v1/models/{owner}/{name}``."""
    service = runner(request)
    return show(service.library.get(named(request), service.base_url))


async def update(request: Request) -> Response:
    """``PATCH /v1/models/{owner}/{name}``."""
    service, body = runner(request), await read_model(request, wire.UpdateModel)
    return show(service.library.update(named(request), body, service.base_url))


async def delete(request: Request) -> Response:
    """``DELETE /v1/models/{owner}/{name}``."""
    runner(request).library.delete(named(request))
    return Response(status_code=204)


async def readme(request: Request) -> Response:
    """``GET /v1/models/{owner}/{name}/readme``."""
    return PlainTextResponse(runner(request).library.readme(named(request)))


async def examples(request: Request) -> Response:
    """``GET /v1/models/{owner}/{name}/examples``: nobody has saved any."""
    service = runner(request)
    service.library.get(named(request), service.base_url)
    return page(request, [])


ROUTES = [
    Route("/v1/models", list_page, methods=["GET"]),
    Route("/v1/models", search, methods=["QUERY"]),
    Route("/v1/models", create, methods=["POST"]),
    Route("/v1/models/{owner}/{name}", get, methods=["GET"]),
    Route("/v1/models/{owner}/{name}", update, methods=["PATCH"]),
    Route("/v1/models/{owner}/{name}", delete, methods=["DELETE"]),
    Route("/v1/models/{owner}/{name}/readme", readme, methods=["GET"]),
    Route("/v1/models/{owner}/{name}/examples", examples, methods=["GET"]),
]
