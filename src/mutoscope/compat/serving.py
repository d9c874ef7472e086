"""Files of the store as answers: for whoever holds the link.

A file comes from here and not by a redirect, because the official Python client follows none. Only a player that asks
for a part of a file in a bucket is sent there.
"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from mutoscope.bootstrap import Runtime
from mutoscope.generations.models import OutputFile
from mutoscope.storage.links import serving_headers
from mutoscope.storage.local import LocalStore
from mutoscope.uploads.models import Upload
from mutoscope.web.local_files import LocalFile

REDIRECT_S = 3600


async def serve(request: Request, parts: Runtime, file: OutputFile | Upload) -> Response:
    """The whole file; a part of it, where one is asked for.

    Raises:
        NotFound: Its bytes are gone.
        InvalidRange, RangeNotSatisfiable: While it is answered, if there is no such part.
        StorageError: The store failed.
    """
    stored = await parts.store.head(file.key)
    etag = {"ETag": f'"{file.sha256}"'}
    if isinstance(parts.store, LocalStore):
        return LocalFile(parts.store.path(file.key), file.media_type, etag)
    headers = serving_headers(file.media_type) | etag | {"Content-Length": str(stored.size_bytes)}
    if request.method == "HEAD":
        return Response(headers=headers)
    if "range" in request.headers:
        link = await parts.store.link(file.key, expires_s=REDIRECT_S, media_type=file.media_type)
        return RedirectResponse(link, 307, {"Cache-Control": "no-store"})
    return StreamingResponse(parts.store.read(file.key), headers=headers)
