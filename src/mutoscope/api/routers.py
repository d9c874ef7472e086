"""What all routers of ``/v1`` share: no answer without a key, strict requests, documented problems."""

from collections.abc import Iterator

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from mutoscope.api import problems
from mutoscope.api.bodies import StrictRoute
from mutoscope.api.callers import caller, operating
from mutoscope.api.problems import MAX_ERRORS
from mutoscope.core.errors import InvalidRequest
from mutoscope.core.json_limits import pointer_part

ALWAYS = problems.responses(401, 403, 422, 500, 503)
"""What any route of ``/v1`` may answer."""


def new_router(tag: str, *, operators: bool = False) -> APIRouter:
    """A router for one resource. With ``operators``, only they may use it."""
    guard = operating if operators else caller
    return APIRouter(
        tags=[tag], route_class=StrictRoute, responses=ALWAYS, dependencies=[Depends(guard), Depends(_query_is_known)]
    )


async def _query_is_known(request: Request) -> None:
    """Refuse parameters that the route does not take: a misspelt cursor would give the first page again and again."""
    route: APIRoute = request.scope["route"]
    known = sorted(set(_query_names(route.dependant)))
    unknown = [name[:100] for name in request.query_params if name not in known][:MAX_ERRORS]
    if unknown:
        takes = f"this takes {', '.join(known)}" if known else "this takes none"
        errors = [{"in": "query", "path": f"/{pointer_part(name)}", "message": "unknown"} for name in unknown]
        raise InvalidRequest(f"There is no query parameter {unknown[0]!r}; {takes}.", errors=errors)


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for one in dependant.dependencies:
        yield from _query_names(one)
