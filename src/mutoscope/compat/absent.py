"""What Replicate has and this service has not, each with a sentence that says why."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutoscope.compat.problems import NotServed, ReadOnly
from mutoscope.compat.requests import guarded

MODEL, DEPLOYMENT = "/v1/models/{owner}/{name}", "/v1/deployments/{owner}/{name}"
TRAININGS = "Trainings cannot be run here."
OPERATORS = "Models and deployments belong to the operator of this service and cannot be changed through it."


def _not_served(path: str, why: str, *methods: str) -> Route:
    async def not_served(_: Request) -> Response:
        raise NotServed(why)

    return guarded(path, not_served, *methods)


def _read_only(path: str, *methods: str) -> Route:
    async def read_only(_: Request) -> Response:
        raise ReadOnly(OPERATORS)

    return guarded(path, read_only, *methods)


ROUTES = [
    _not_served("/v1/trainings", TRAININGS, "GET"),
    _not_served("/v1/trainings/{training_id}", TRAININGS, "GET"),
    _not_served("/v1/trainings/{training_id}/cancel", TRAININGS, "POST"),
    _not_served(f"{MODEL}/versions/{{version_id}}/trainings", TRAININGS, "POST"),
    _read_only("/v1/models", "POST"),
    _read_only(MODEL, "PATCH", "DELETE"),
    _read_only(f"{MODEL}/versions/{{version_id}}", "DELETE"),
    _read_only("/v1/deployments", "POST"),
    _read_only(DEPLOYMENT, "PATCH", "DELETE"),
]
