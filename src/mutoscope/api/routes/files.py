"""``/files/{key}``: files on the local disk, for whoever holds a link that this service signed."""

from fastapi import APIRouter, Request, Response

from mutoscope.api.parts import Parts
from mutoscope.core.errors import NotFound
from mutoscope.storage.local import LocalStore
from mutoscope.web.local_files import LocalFile

router = APIRouter(include_in_schema=False)


@router.api_route("/files/{key:path}", methods=["GET", "HEAD"])
async def get(key: str, request: Request, parts: Parts) -> Response:
    """The file, or a part of it (``Range``)."""
    if not isinstance(parts.store, LocalStore):
        raise NotFound("Files are not kept on this service; ask the generation for its links.")
    media_type = parts.links.verify(key, request.query_params, parts.clock.now())
    await parts.store.head(key)
    return LocalFile(parts.store.path(key), media_type)
