"""What Replicate has and this service has not: changes to models and deployments, which are the operator's."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutoscope.compat.problems import ReadOnly
from mutoscope.compat.requests import guarded

MODEL, DEPLOYMENT = "/v1/models/{owner}/{name}", "/v1/deployments/{owner}/{name}"
OPERATORS = "Models and deployments belong to the operator of this service and cannot be changed through it."


def _read_only(path: str, *methods: str) -> Route:
    async def read_only(_: Request) -> Response:
        raise ReadOnly(OPERATORS)

    return guarded(path, read_only, *methods)


ROUTES = [
    _read_only("/v1/models", "POST"),
    _read_only(MODEL, "PATCH", "DELETE"),
    _read_only(f"{MODEL}/versions/{{version_id}}", "DELETE"),
    _read_only("/v1/deployments", "POST"),
    _read_only(DEPLOYMENT, "PATCH", "DELETE"),
]
