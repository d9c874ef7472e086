"""Stored outputs, for whoever holds the link: it is good for as long as the file is kept.

The file comes from here and not by a redirect, because the official Python client follows none. Only a player that
asks for a part of a file in a bucket is sent there.
"""

import re

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from mutoscope.bootstrap import Runtime
from mutoscope.compat.requests import parts_of
from mutoscope.core.errors import NotFound
from mutoscope.generations.as_prediction import output_name
from mutoscope.generations.models import OutputFile
from mutoscope.storage.base import StoredObject
from mutoscope.storage.links import serving_headers
from mutoscope.storage.local import LocalStore

REDIRECT_S = 3600
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
    stored = await parts.store.head(file.key)
    return await _serve(request, parts, file, stored)


async def _serve(request: Request, parts: Runtime, file: OutputFile, stored: StoredObject) -> Response:
    headers = serving_headers(file.media_type) | {"ETag": f'"{file.sha256}"'}
    if isinstance(parts.store, LocalStore):
        del headers["Content-Type"]  # named by media_type, so that text is not given a charset twice
        return FileResponse(parts.store.path(file.key), headers=headers, media_type=file.media_type)
    headers["Content-Length"] = str(stored.size_bytes)
    if request.method == "HEAD":
        return Response(headers=headers)
    if "range" in request.headers:
        link = await parts.store.link(file.key, expires_s=REDIRECT_S, media_type=file.media_type)
        return RedirectResponse(link, 307, {"Cache-Control": "no-store"})
    return StreamingResponse(parts.store.read(file.key), headers=headers)


ROUTES = [Route("/outputs/{generation_id}/{signature}/{file}", get, methods=["GET"])]
