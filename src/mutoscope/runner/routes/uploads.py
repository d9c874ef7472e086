"""``/v1/files``: uploads for inputs."""

import asyncio
import mmap
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from mutoscope.core.errors import InvalidRequest
from mutoscope.replicate_protocol.wire import next_link
from mutoscope.runner.multipart import boundary, parts
from mutoscope.runner.problems import TooLarge
from mutoscope.runner.routes.body import runner
from mutoscope.runner.uploads import Uploads

_FORM_BYTES = 65536


async def create(request: Request) -> Response:
    """``POST /v1/files``."""
    service = runner(request)
    mark = boundary(request.headers.get("content-type", ""))
    limit = service.config.max_upload_bytes
    async with _spooled(request, service.files.new_upload(), limit) as path:
        known = await asyncio.to_thread(_write, path, mark, service.uploads)
    service.uploads.keep(known)
    return JSONResponse(service.uploads.show(known, service.base_url), 201)


@asynccontextmanager
async def _spooled(request: Request, path: Path, limit_bytes: int) -> AsyncGenerator[Path, None]:
    """The body in a file, for as long as the block lasts."""
    size = 0
    try:
        with await asyncio.to_thread(path.open, "wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit_bytes + _FORM_BYTES:
                    raise TooLarge(f"Files must be less than {limit_bytes // 10**6}MB in size")
                file.write(chunk)
        yield path
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _write(path: Path, mark: bytes, uploads: Uploads) -> dict[str, Any]:
    if not path.stat().st_size:
        raise InvalidRequest("The body is empty.")
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body,
        memoryview(body) as view,
    ):
        found = {part.name: part for part in parts(body, mark)}
        fields = {name: view[part.start : part.end] for name, part in found.items()}
        content = found.get("content")
        try:
            return uploads.write(
                fields,
                content.filename if content else None,
                content.media_type if content else "application/octet-stream",
            )
        finally:
            for field in fields.values():
                field.release()


async def list_page(request: Request) -> Response:
    """``GET /v1/files``."""
    service, query = runner(request), request.query_params
    found, last = service.uploads.page(query.get("cursor"))
    link = next_link(f"{service.base_url}/v1/files", dict(query), last)
    results = [service.uploads.show(known, service.base_url) for known in found]
    return JSONResponse({"previous": None, "next": link, "results": results})


async def get(request: Request) -> Response:
    """``GET /v1/files/{id}``."""
    service = runner(request)
    return JSONResponse(service.uploads.show(service.uploads.get(request.path_params["upload_id"]), service.base_url))


async def delete(request: Request) -> Response:
    """``DELETE /v1/files/{id}``."""
    runner(request).uploads.delete(request.path_params["upload_id"])
    return Response(status_code=204)


async def download(request: Request) -> Response:
    """``GET /v1/files/{id}/download``."""
    service, upload_id = runner(request), request.path_params["upload_id"]
    service.uploads.check_download(upload_id, request.query_params)
    known = service.uploads.get(upload_id)
    return FileResponse(service.files.upload(upload_id), media_type=known["content_type"])


ROUTES = [
    Route("/v1/files", create, methods=["POST"]),
    Route("/v1/files", list_page, methods=["GET"]),
    Route("/v1/files/{upload_id}", get, methods=["GET"]),
    Route("/v1/files/{upload_id}", delete, methods=["DELETE"]),
    Route("/v1/files/{upload_id}/download", download, methods=["GET"]),
]
