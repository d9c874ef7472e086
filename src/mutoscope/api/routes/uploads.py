"""``/v1/files``: files to be named in inputs."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, Field

from mutoscope.api import problems
from mutoscope.api.callers import OnBehalf
from mutoscope.api.pages import Limit, Page, cut, page_of
from mutoscope.api.parts import Parts
from mutoscope.api.routers import new_router
from mutoscope.api.texts import FileRef, Name, Ref
from mutoscope.bootstrap import Runtime
from mutoscope.uploads.models import Upload
from mutoscope.web import uploading

router = new_router("files")

FileId = Annotated[Ref, Path(description="The file's id.")]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["content"],
        "properties": {
            "content": {"type": "string", "format": "binary"},
            "filename": {"type": "string", "maxLength": 255},
            "metadata": {"type": "string", "description": "A JSON object, given back as it is."},
        },
    }
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": _FORM, "application/octet-stream": _BINARY},
    }
}


class UploadRead(BaseModel):
    """A file for inputs: write its `id` or its `url` where the model takes a file."""

    id: str
    object: Literal["file"] = "file"
    name: str
    media_type: str = Field(description="What its bytes say it is.")
    size_bytes: int
    sha256: str
    metadata: dict[str, Any]
    url: str = Field(description="A link to its bytes that is good for a while; fresh each time.")
    created_at: datetime
    expires_at: datetime = Field(description="When it is removed; a generation that is waiting prolongs it.")

    @classmethod
    async def of(cls, row: Upload, parts: Runtime) -> Self:
        """The file with a fresh link."""
        return cls.model_validate(
            {
                "id": row.id,
                "name": row.name,
                "media_type": row.media_type,
                "size_bytes": row.size_bytes,
                "sha256": row.sha256,
                "metadata": row.metadata_,
                "url": await parts.uploads.link(row, expires_s=parts.settings.link_s),
                "created_at": row.created_at,
                "expires_at": row.expires_at,
            }
        )


@router.post(
    "/files",
    status_code=201,
    responses=problems.responses(400, 404, 408, 413, 429),
    openapi_extra=_BODY,
    summary="Upload a file",
)
async def create(
    request: Request,
    parts: Parts,
    on_behalf: OnBehalf,
    name: Annotated[Name | None, Query(description="What a file that is the whole body is called.")] = None,
) -> UploadRead:
    """Send the file as the field `content` of a form, or as the body itself."""
    return await UploadRead.of(await uploading.take(request, parts.uploads, on_behalf.account_id, name=name), parts)


@router.get("/files", responses=problems.responses(404), summary="List files")
async def page(
    parts: Parts,
    on_behalf: OnBehalf,
    before: Annotated[FileRef | None, Query(description="The cursor: only those older than this id.")] = None,
    limit: Limit = 20,
) -> Page[UploadRead]:
    """The account's files, newest first."""
    rows = await parts.uploads.page(on_behalf.account_id, limit=limit + 1, before=before)
    rows, next_cursor = cut(rows, limit, lambda row: row.id)
    return page_of([await UploadRead.of(row, parts) for row in rows], next_cursor)


@router.get("/files/{file_id}", responses=problems.responses(404), summary="Look at a file")
async def get(file_id: FileId, parts: Parts, on_behalf: OnBehalf) -> UploadRead:
    """What it is, with a fresh link."""
    return await UploadRead.of(await parts.uploads.get(on_behalf.account_id, file_id), parts)


@router.delete("/files/{file_id}", status_code=204, responses=problems.responses(404), summary="Delete a file")
async def delete(file_id: FileId, parts: Parts, on_behalf: OnBehalf) -> Response:
    """Remove it. A generation that names it and was not sent yet will fail, and cost nothing."""
    await parts.uploads.delete(on_behalf.account_id, file_id)
    return Response(status_code=204)
