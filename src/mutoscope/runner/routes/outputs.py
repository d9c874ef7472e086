"""``/files/...``: what models made, open to all who know the name, which cannot be guessed; and the faults of files."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mutoscope.core.errors import NotFound
from mutoscope.runner.connection import break_off
from mutoscope.runner.faults import Faults
from mutoscope.runner.problems import Broken
from mutoscope.runner.routes.body import runner

_CHUNK_BYTES = 256 * 1024
_ENDLESS_BYTES = 2**50
_HTML = b"<!doctype html><title>Not found</title><h1>This is a web page, not a picture</h1>"


async def get(request: Request) -> Response:
    """``GET /files/{folder}/{name}``."""
    service, folder, name = runner(request), request.path_params["folder"], request.path_params["name"]
    service.counts["files"] += 1
    path, media_type = service.files.output(folder, name)
    faults = service.files.faults(folder)
    if faults.file_404:
        raise NotFound("The requested resource could not be found.")
    if service.files.fails_now(folder, name):
        raise Broken("Internal server error.")
    if faults.file_wrong_type:
        return Response(_HTML, media_type=media_type)
    return _stream(request, path, media_type, faults)


class _FileResponse(StreamingResponse):
    """Streams chunks of a file and closes it, also when the client has left in the middle."""

    def __init__(self, file: BinaryIO, chunks: AsyncIterator[bytes], headers: dict[str, str]) -> None:
        super().__init__(chunks, headers=headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _stream(request: Request, path: Path, media_type: str, faults: Faults) -> Response:
    file, size = path.open("rb"), path.stat().st_size
    headers = {"content-length": str(size), "content-type": media_type}
    chunks = _read(file)
    if faults.file_oversized:
        chunks = _pad(chunks, _ENDLESS_BYTES if faults.file_oversized is True else faults.file_oversized)
        del headers["content-length"]
    if faults.file_truncated:
        chunks = _cut(request, chunks, size // 2)
    if faults.file_slow:
        chunks = _slow(chunks, faults.file_slow)
    return _FileResponse(file, chunks, headers)


async def _read(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
        yield chunk


async def _pad(chunks: AsyncIterator[bytes], total_bytes: int) -> AsyncIterator[bytes]:
    """The file and then zeros, until so many bytes have been sent."""
    async for chunk in chunks:
        total_bytes -= len(chunk)
        yield chunk
    while total_bytes > 0:
        size = min(total_bytes, _CHUNK_BYTES)
        total_bytes -= size
        yield bytes(size)
        await asyncio.sleep(0)  # nothing else here lets the server see that the client has left


async def _cut(request: Request, chunks: AsyncIterator[bytes], keep_bytes: int) -> AsyncIterator[bytes]:
    """The first bytes of the file, and then a closed connection."""
    async for chunk in chunks:
        yield chunk[:keep_bytes]
        keep_bytes -= len(chunk)
        if keep_bytes <= 0:
            break
    await break_off(request)


async def _slow(chunks: AsyncIterator[bytes], bytes_per_s: float) -> AsyncIterator[bytes]:
    """The same bytes, ten times a second so many that the rate is right."""
    size = max(1, int(bytes_per_s / 10))
    async for chunk in chunks:
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]
            await asyncio.sleep(0.1)


ROUTES = [Route("/files/{folder}/{name}", get, methods=["GET"])]
