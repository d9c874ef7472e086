"""``/files/{key}``: files on the local disk, for whoever holds a link that this service signed."""

import stat

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from mutoscope.api.parts import Parts
from mutoscope.core.errors import NotFound
from mutoscope.storage.links import serving_headers
from mutoscope.storage.local import LocalStore

router = APIRouter(include_in_schema=False)

# What a browser may show by itself; everything else is saved.
_SHOWN = ("image/", "audio/", "video/")
_SHOWN_TYPES = ("application/pdf", "text/plain")


@router.api_route("/files/{key:path}", methods=["GET", "HEAD"])
async def get(key: str, request: Request, parts: Parts) -> Response:
    """The file, or a part of it (``Range``)."""
    if not isinstance(parts.store, LocalStore):
        raise NotFound("Files are not kept on this service; ask the generation for its links.")
    media_type = parts.links.verify(key, request.query_params, parts.clock.now())
    await parts.store.head(key)
    path = parts.store.path(key)
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise NotFound(f"There is no file under {key}.")
    headers = serving_headers(media_type)
    if not (media_type.startswith(_SHOWN) or media_type in _SHOWN_TYPES):
        headers["Content-Disposition"] = "attachment"
    del headers["Content-Type"]  # named by media_type, so that text is not given a charset twice
    return FileResponse(path, headers=headers, media_type=media_type, stat_result=found)
