"""Takes an uploaded file out of a request, whichever way it was sent: as a form, or as the body itself."""

import json
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request

from mutoscope.core.errors import InvalidRequest
from mutoscope.core.json_limits import find_fault
from mutoscope.uploads.models import Upload
from mutoscope.uploads.service import Description, Uploads
from mutoscope.web.multipart import Form
from mutoscope.web.printable import is_printable

MAX_METADATA_BYTES = 16 * 1024


async def take(request: Request, uploads: Uploads, account_id: str, *, name: str | None = None) -> Upload:
    """Keep the file of a request: the field ``content`` of a form, else the whole body.

    Args:
        request: Its body has not been read.
        uploads: Where to.
        account_id: Whose it will be.
        name: What a file that is the whole body is called. A form says so in ``filename``.

    Raises:
        InvalidRequest: The body is empty, broken or cut short, or says something of the file that cannot be kept.
        FileTooLarge, UploadsFull, StorageError: As ``Uploads.create``.
    """
    if _is_form(request):
        return await take_form(request, uploads, account_id)

    async def described() -> Description:
        return Description(_name(name))

    return await uploads.create(account_id, _whole(request), described)


async def take_form(request: Request, uploads: Uploads, account_id: str) -> Upload:
    """Keep the file of a request that must be a form: the field ``content``. Raises as ``take``."""
    form = Form(request.headers.get("content-type", ""), _whole(request))

    async def described() -> Description:
        return Description(_name(form.fields.get("filename") or form.filename), _metadata(form.fields.get("metadata")))

    return await uploads.create(account_id, form.file(), described)


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def _whole(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as gone:
        raise InvalidRequest("The connection was closed before the whole file had come.") from gone


def _name(given: str | None) -> str:
    name = PurePosixPath((given or "file").replace("\\", "/")).name or "file"
    if not is_printable(name):
        raise InvalidRequest("A file's name must be 1 to 255 printable characters.")
    return name


def _metadata(text: str | None) -> dict[str, Any]:
    try:
        metadata: object = json.loads(text or "{}")
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise InvalidRequest("The field 'metadata' must be a JSON object.")
    found = cast("dict[str, Any]", metadata)
    if fault := find_fault(found, max_bytes=MAX_METADATA_BYTES):
        raise InvalidRequest(f"The field 'metadata': {fault.path or 'it'} {fault.message}.")
    return found
