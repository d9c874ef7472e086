"""Files of the store as answers: for whoever holds the link.

A file comes from here and not by a redirect, because the official Python client follows none. Only a player that asks
for a part of a file in a bucket is sent there.
"""

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from mutoscope.bootstrap import Runtime
from mutoscope.generations.models import OutputFile
from mutoscope.storage.links import serving_headers
from mutoscope.storage.local import LocalStore
from mutoscope.uploads.models import Upload

REDIRECT_S = 3600


async def serve(request: Request, parts: Runtime, file: OutputFile | Upload) -> Response:
    """The whole file; a part of it, where one is asked for.

    Raises:
        NotFound: Its bytes are gone.
        StorageError: The store failed.
    """
    stored = await parts.store.head(file.key)
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
