"""Uploaded files as Replicate has them; they are the same files as those of ``/v1/files``.

An input names one by its ``urls.get``, which is what the clients put there, or by its ``urls.download``, which anybody
may read. Replicate gives the secret for download links to the owner; here only the service makes them.
"""

import re
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mutoscope.bootstrap import Runtime
from mutoscope.compat.requests import account_of, cursor_of, guarded, id_of, parts_of
from mutoscope.compat.serving import serve
from mutoscope.core.errors import NotFound
from mutoscope.generations.as_prediction import PATH
from mutoscope.replicate_protocol.files import File, FilePage
from mutoscope.replicate_protocol.wire import PAGE_SIZE
from mutoscope.storage.links import InvalidLink
from mutoscope.uploads.models import Upload
from mutoscope.web.uploading import take_form

NOT_FOUND = "File not found"
_EXPIRY = re.compile(r"[0-9]{1,11}")


async def create(request: Request) -> Response:
    """``POST /files``: a form with ``content``; ``filename`` and ``metadata`` if it wants."""
    parts = parts_of(request)
    upload = await take_form(request, parts.uploads, account_of(request))
    return JSONResponse(_shown(parts, upload, await _owner(request)), 201)


async def page(request: Request) -> Response:
    """``GET /files``, newest first."""
    parts, owner = parts_of(request), await _owner(request)
    before = cursor_of(request, "file")
    found = await parts.uploads.page(account_of(request), limit=PAGE_SIZE + 1, before=before)
    more = urlencode({"cursor": found[PAGE_SIZE - 1].id}) if len(found) > PAGE_SIZE else None
    results = [File.model_validate(_shown(parts, one, owner)) for one in found[:PAGE_SIZE]]
    link = f"{parts.links.base_url}{PATH}/v1/files?{more}" if more else None
    return JSONResponse(FilePage(next=link, results=results).shown())


async def get(request: Request) -> Response:
    """``GET /files/{id}``."""
    return JSONResponse(_shown(parts_of(request), await _upload(request), await _owner(request)))


async def delete(request: Request) -> Response:
    """``DELETE /files/{id}``. A prediction that names it and was not sent yet will fail, and cost nothing."""
    upload = await _upload(request)
    await parts_of(request).uploads.delete(account_of(request), upload.id)
    return Response(status_code=204)


async def download(request: Request) -> Response:
    """``GET /files/{id}/download?owner&expiry&signature``: its bytes, for whoever holds the link."""
    parts, query = parts_of(request), request.query_params
    owner, expiry, file_id = query.get("owner", ""), query.get("expiry", ""), id_of(request, "file_id")
    try:
        parts.links.verify_standing(_download_name(owner, file_id, expiry), query.get("signature", ""))
    except InvalidLink as error:
        raise NotFound(NOT_FOUND) from error
    # What was signed is a number; until then it could be anything.
    if not _EXPIRY.fullmatch(expiry) or parts.clock.now().timestamp() >= int(expiry):
        raise NotFound(NOT_FOUND)
    account = await parts.accounts.get(owner)
    return await serve(request, parts, await parts.uploads.get(account.id, file_id))


async def _upload(request: Request) -> Upload:
    try:
        return await parts_of(request).uploads.get(account_of(request), id_of(request, "file_id"))
    except NotFound as error:
        raise NotFound(NOT_FOUND) from error


async def _owner(request: Request) -> str:
    return (await parts_of(request).accounts.get(account_of(request))).external_id


def _shown(parts: Runtime, upload: Upload, owner: str) -> dict[str, object]:
    sha256 = upload.sha256 or ""
    place = f"{parts.links.base_url}{PATH}/v1/files/{upload.id}"
    expiry = str(int(upload.expires_at.timestamp()))
    signature = parts.links.stand_for(_download_name(owner, upload.id, expiry))
    signed = urlencode({"owner": owner, "expiry": expiry, "signature": signature})
    return File(
        id=upload.id,
        name=upload.name,
        content_type=upload.media_type,
        size=upload.size_bytes,
        etag=sha256[:32],
        checksums={"sha256": sha256},
        metadata=upload.metadata_,
        created_at=upload.created_at,
        expires_at=upload.expires_at,
        urls={"get": place, "download": f"{place}/download?{signed}"},
    ).shown()


def _download_name(owner: str, file_id: str, expiry: str) -> str:
    """What Replicate signs too. The names of other links have no spaces, so none of them is a link to a file."""
    return f"{owner} {file_id} {expiry}"


ROUTES = [
    guarded("/v1/files", create, "POST"),
    guarded("/v1/files", page, "GET"),
    guarded("/v1/files/{file_id}", get, "GET"),
    guarded("/v1/files/{file_id}", delete, "DELETE"),
    Route("/v1/files/{file_id}/download", download, methods=["GET"]),
]
