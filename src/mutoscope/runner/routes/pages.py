"""Cuts lists into pages, and shows wire shapes."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mutoscope.replicate_protocol.wire import PAGE_SIZE, Wire, next_link, position
from mutoscope.runner.routes.body import runner


def page(request: Request, items: Sequence[Wire]) -> Response:
    """The page of ``items`` that the request's cursor names. Raises ``InvalidRequest`` for a bad cursor."""
    start = max(0, position(request.query_params.get("cursor")) or 0)
    end = start + PAGE_SIZE
    url = f"{runner(request).base_url}{request.url.path}"
    link = next_link(url, dict(request.query_params), end if end < len(items) else None)
    return JSONResponse({"previous": None, "next": link, "results": [one.shown() for one in items[start:end]]})


def show(shape: Wire, status: int = 200) -> Response:
    """One shape."""
    return JSONResponse(shape.shown(), status)
