"""What all routers of ``/v1`` share: nothing is answered without a key, bodies are strict, problems are documented."""

from fastapi import APIRouter, Depends

from mutoscope.api import problems
from mutoscope.api.bodies import StrictRoute
from mutoscope.api.callers import caller, operating

ALWAYS = problems.responses(401, 403, 422, 500, 503)
"""What any route of ``/v1`` may answer."""


def new_router(tag: str, *, operators: bool = False) -> APIRouter:
    """A router for one resource. With ``operators``, only they may use it."""
    guard = operating if operators else caller
    return APIRouter(tags=[tag], route_class=StrictRoute, responses=ALWAYS, dependencies=[Depends(guard)])
