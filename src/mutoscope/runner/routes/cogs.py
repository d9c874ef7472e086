"""``/_cog/...``: what Cog servers behind this runner say about predictions that run. Not part of Replicate's API."""

import json
from typing import cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutoscope.core.errors import InvalidRequest, NotFound
from mutoscope.runner.models.context import MAX_INPUT_BYTES
from mutoscope.runner.routes.body import read_body, runner


async def take(request: Request) -> Response:
    """``POST /_cog/{key}``."""
    progress = runner(request).inbox.find(request.path_params["key"])
    if progress is None:
        raise NotFound("The requested resource could not be found.")
    try:
        said: object = json.loads(await read_body(request, 2 * MAX_INPUT_BYTES))
    except ValueError as error:
        raise InvalidRequest("The body is not JSON.") from error
    if isinstance(said, dict):
        progress.take(cast("dict[str, object]", said))
    return Response(status_code=204)


ROUTES = [Route("/_cog/{key}", take, methods=["POST"])]
