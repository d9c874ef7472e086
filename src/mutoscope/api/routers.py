"""What all routers of ``/v1`` share: no answer without a key, strict requests, documented problems."""

from collections import Counter
from collections.abc import Iterator, Sequence

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
        tags=[tag], route_class=StrictRoute, responses=ALWAYS, dependencies=[Depends(guard), Depends(_query_is_plain)]
    )


async def _query_is_plain(request: Request) -> None:
    """Refuse parameters that the route does not take, or that come twice.

    A misspelt cursor would give the first page again and again, and of two nobody knows which one counts.
    """
    route: APIRoute = request.scope["route"]
    known = sorted(set(_query_names(route.dependant)))
    given = Counter(name for name, _ in request.query_params.multi_items())
    takes = f"this takes {', '.join(known)}" if known else "this takes none"
    if unknown := [name for name in given if name not in known]:
        raise _refused(unknown, "unknown", f"There is no query parameter {unknown[0][:100]!r}; {takes}.")
    if doubled := [name for name, times in given.items() if times > 1]:
        raise _refused(doubled, "came more than once", f"The query parameter {doubled[0]} came more than once.")


def _refused(names: Sequence[str], message: str, detail: str) -> InvalidRequest:
    shown = [{"in": "query", "path": f"/{pointer_part(name[:100])}", "message": message} for name in names[:MAX_ERRORS]]
    return InvalidRequest(detail, errors=shown)


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for one in dependant.dependencies:
        yield from _query_names(one)
