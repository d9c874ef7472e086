"""``/v1/deployments``: list, create, get, change and delete."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutoscope.replicate_protocol.deployments import CreateDeployment, UpdateDeployment
from mutoscope.runner.routes.body import named, read_model, runner
from mutoscope.runner.routes.pages import page, show


async def list_page(request: Request) -> Response:
    """``GET /v1/deployments``."""
    return page(request, runner(request).deployments.listed())


async def create(request: Request) -> Response:
    """``POST /v1/deployments``."""
    return show(runner(request).deployments.create(await read_model(request, CreateDeployment)))


async def get(request: Request) -> Response:
    """``GET /v1/deployments/{owner}/{name}``."""
    return show(runner(request).deployments.get(named(request)))


async def update(request: Request) -> Response:
    """``PATCH /v1/deployments/{owner}/{name}``."""
    return show(runner(request).deployments.update(named(request), await read_model(request, UpdateDeployment)))


async def delete(request: Request) -> Response:
    """``DELETE /v1/deployments/{owner}/{name}``."""
    runner(request).deployments.delete(named(request))
    return Response(status_code=204)


ROUTES = [
    Route("/v1/deployments", list_page, methods=["GET"]),
    Route("/v1/deployments", create, methods=["POST"]),
    Route("/v1/deployments/{owner}/{name}", get, methods=["GET"]),
    Route("/v1/deployments/{owner}/{name}", update, methods=["PATCH"]),
    Route("/v1/deployments/{owner}/{name}", delete, methods=["DELETE"]),
]
