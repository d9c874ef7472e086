"""``/v1/models/{owner}/{name}/versions``: list, get and delete."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutoscope.runner.routes.body import named, runner
from mutoscope.runner.routes.pages import page, show

_VERSIONS = "/v1/models/{owner}/{name}/versions"


async def list_page(request: Request) -> Response:
    """``GET /v1/models/{owner}/{name}/versions``."""
    return page(request, runner(request).library.versions(named(request)))


async def get(request: Request) -> Response:
    """``GET /v1/models/{owner}/{name}/versions/{version}``."""
    return show(runner(request).library.version(named(request), request.path_params["version"]))


async def delete(request: Request) -> Response:
    """``DELETE /v1/models/{owner}/{name}/versions/{version}``: done at once, though 202 promises less."""
    runner(request).deletion.delete(named(request), request.path_params["version"])
    return Response(status_code=202)


ROUTES = [
    Route(_VERSIONS, list_page, methods=["GET"]),
    Route(f"{_VERSIONS}/{{version}}", get, methods=["GET"]),
    Route(f"{_VERSIONS}/{{version}}", delete, methods=["DELETE"]),
]
