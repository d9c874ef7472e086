"""Files on the local disk as answers: whole, or the part that is asked for (RFC 9110, section 14)."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from mutoscope.core.errors import MutoscopeError, NotFound
from mutoscope.storage.links import serving_headers


class InvalidRange(MutoscopeError):
    """The header ``Range`` cannot be read."""

    status, code, title = 400, "invalid_range", "The range is not valid"


class RangeNotSatisfiable(MutoscopeError):
    """The file has no such part; ``size_bytes`` is what it has."""

    status, code, title = 416, "range_not_satisfiable", "The file has no such part"

    def __init__(self, size_bytes: str) -> None:
        super().__init__(f"The file has {size_bytes} bytes.")
        self.size_bytes = size_bytes


class LocalFile(FileResponse):
    """One file.

    Args:
        path: Where it is.
        media_type: As what it is served.
        headers: What else is said of it.

    Raises:
        NotFound: There is no file.
        InvalidRange, RangeNotSatisfiable: While it is answered, before anything is sent.
    """

    def __init__(self, path: Path, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        fields = serving_headers(media_type) | dict(headers or {})
        del fields["Content-Type"]  # named by media_type, so that text is not given a charset twice
        super().__init__(path, headers=fields, media_type=media_type, stat_result=_found(path))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. What Starlette would say in plain text of a range is raised instead."""
        refused: list[Message] = []

        async def look(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                refused.append(message)
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, look)
        if refused:
            raise _problem(refused[0])


def _found(path: Path) -> os.stat_result:
    try:
        found = path.lstat()
    except FileNotFoundError as error:
        raise NotFound("This file is no longer kept.") from error
    if not stat.S_ISREG(found.st_mode):
        raise NotFound("This file is no longer kept.")
    return found


def _problem(refused: Message) -> MutoscopeError:
    if refused["status"] == InvalidRange.status:
        return InvalidRange("Write the header as in Range: bytes=0-99.")
    return RangeNotSatisfiable(Headers(raw=refused["headers"])["content-range"].rpartition("/")[2])
