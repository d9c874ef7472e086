"""``/files/{key}``: files on the local disk, for whoever holds a link that this service signed."""

import stat

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from mutoscope.api import problems
from mutoscope.api.parts import Parts
from mutoscope.core.errors import MutoscopeError, NotFound
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
    return _File(path, headers=headers, media_type=media_type, stat_result=found)


class InvalidRange(MutoscopeError):
    """The header ``Range`` cannot be read."""

    status, code, title = 400, "invalid_range", "The range is not valid"


class RangeNotSatisfiable(MutoscopeError):
    """The file has no such part."""

    status, code, title = 416, "range_not_satisfiable", "The file has no such part"


class _File(FileResponse):
    """Starlette's, which says in plain text what is wrong with a range."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file; instead of an error of Starlette's, a problem."""
        refused: list[Message] = []

        async def look(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                refused.append(message)
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, look)
        if refused:
            await _problem(refused[0], instance=scope["path"])(scope, receive, send)


def _problem(refused: Message, *, instance: str) -> Response:
    if refused["status"] == InvalidRange.status:
        return problems.answer(InvalidRange("Write the header as in Range: bytes=0-99."), instance=instance)
    size = Headers(raw=refused["headers"])["content-range"]
    error = RangeNotSatisfiable(f"The file has {size.rpartition('/')[2]} bytes.")
    return problems.answer(error, instance=instance, headers={"Content-Range": size})
