"""Stored outputs, for whoever holds the link: it is good for as long as the file is kept."""

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutoscope.compat.requests import parts_of
from mutoscope.compat.serving import serve
from mutoscope.core.errors import NotFound
from mutoscope.generations.as_prediction import output_name
from mutoscope.generations.models import OutputFile

_NUMBER = re.compile(r"(\d{1,4})(?:\.[a-z0-9]{1,16})?")


async def get(request: Request) -> Response:
    """``GET /outputs/{generation}/{signature}/{number}.{ext}``."""
    parts, given = parts_of(request), request.path_params
    match = _NUMBER.fullmatch(given["file"])
    if match is None:
        raise NotFound("There is no such file.")
    generation_id, number = given["generation_id"], int(match[1])
    parts.links.verify_standing(output_name(generation_id, number), given["signature"])
    async with parts.database.read() as session:
        file = await session.get(OutputFile, (generation_id, number))
    if file is None:
        raise NotFound("This file is no longer kept.")
    return await serve(request, parts, file)


ROUTES = [Route("/outputs/{generation_id}/{signature}/{file}", get, methods=["GET"])]
