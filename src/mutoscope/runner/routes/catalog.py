"""Models, versions, deployments, hardware, the account and the webhook secret."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mutoscope.core.errors import NotFound
from mutoscope.runner.models.base import Model
from mutoscope.runner.records import iso
from mutoscope.runner.routes.body import runner
from mutoscope.runner.uploads import OWNER


def _page(results: list[dict[str, Any]]) -> Response:
    return JSONResponse({"previous": None, "next": None, "results": results})


def _version(model: Model) -> dict[str, Any]:
    return {
        "id": model.version,
        "created_at": iso(model.created_at),
        "cog_version": "0.23.1",
        "openapi_schema": model.openapi_schema,
    }


def _model(model: Model, base_url: str) -> dict[str, Any]:
    return {
        "url": f"{base_url}/v1/models/{model.full_name}",
        "owner": model.owner,
        "name": model.name,
        "description": model.description,
        "visibility": "public",
        "is_official": True,
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "run_count": 0,
        "cover_image_url": None,
        "default_example": None,
        "latest_version": _version(model),
    }


def _deployment(model: Model) -> dict[str, Any]:
    return {
        "owner": model.owner,
        "name": model.name,
        "current_release": {
            "number": 1,
            "model": model.full_name,
            "version": model.version,
            "created_at": iso(model.created_at),
            "created_by": {"type": "user", "username": OWNER, "name": "Local runner"},
            "configuration": {"hardware": "cpu", "min_instances": 0, "max_instances": 1},
        },
    }


def _named(request: Request) -> Model:
    return runner(request).catalog.model("{owner}/{name}".format_map(request.path_params))


async def list_models(request: Request) -> Response:
    """``GET /v1/models``."""
    return _page([_model(one, runner(request).base_url) for one in runner(request).catalog.models])


async def get_model(request: Request) -> Response:
    """``GET /v1/models/{owner}/{name}``."""
    return JSONResponse(_model(_named(request), runner(request).base_url))


async def list_versions(request: Request) -> Response:
    """``GET /v1/models/{owner}/{name}/versions``: each model has one."""
    return _page([_version(_named(request))])


async def get_version(request: Request) -> Response:
    """``GET /v1/models/{owner}/{name}/versions/{id}``."""
    model = _named(request)
    if request.path_params["version"] != model.version:
        raise NotFound("The requested resource could not be found.")
    return JSONResponse(_version(model))


async def list_deployments(request: Request) -> Response:
    """``GET /v1/deployments``: one per model."""
    return _page([_deployment(one) for one in runner(request).catalog.models])


async def get_deployment(request: Request) -> Response:
    """``GET /v1/deployments/{owner}/{name}``."""
    return JSONResponse(_deployment(_named(request)))


async def account(_request: Request) -> Response:
    """``GET /v1/account``: a runner has one."""
    return JSONResponse({"type": "user", "username": OWNER, "name": "Local runner"})


async def hardware(_request: Request) -> Response:
    """``GET /v1/hardware``."""
    return JSONResponse([{"name": "CPU", "sku": "cpu"}])


async def webhook_secret(request: Request) -> Response:
    """``GET /v1/webhooks/default/secret``."""
    return JSONResponse({"key": runner(request).webhook_secret})


ROUTES = [
    Route("/v1/models", list_models, methods=["GET"]),
    Route("/v1/models/{owner}/{name}", get_model, methods=["GET"]),
    Route("/v1/models/{owner}/{name}/versions", list_versions, methods=["GET"]),
    Route("/v1/models/{owner}/{name}/versions/{version}", get_version, methods=["GET"]),
    Route("/v1/deployments", list_deployments, methods=["GET"]),
    Route("/v1/deployments/{owner}/{name}", get_deployment, methods=["GET"]),
    Route("/v1/account", account, methods=["GET"]),
    Route("/v1/hardware", hardware, methods=["GET"]),
    Route("/v1/webhooks/default/secret", webhook_secret, methods=["GET"]),
]
