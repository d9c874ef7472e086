"""``/v1/generations``: ask for one, look at it, list them, cancel."""

from typing import Annotated, Any

from fastapi import Header, Path, Query, Response

from mutoscope.api import problems
from mutoscope.api.callers import Acting, OnBehalf
from mutoscope.api.pages import Limit, Page, cut, page_of
from mutoscope.api.parts import Parts
from mutoscope.api.routers import new_router
from mutoscope.api.shapes.generation import MAX_METADATA_BYTES, GenerationCreate, GenerationRead, StatusName, show
from mutoscope.api.texts import GenerationRef, Name, Ref
from mutoscope.api.waiting import Wait
from mutoscope.bootstrap import Runtime
from mutoscope.core.canonical import canonical_json
from mutoscope.core.errors import InvalidRequest
from mutoscope.generations.asking import Filter, NewGeneration
from mutoscope.generations.models import Generation
from mutoscope.generations.states import FINAL, Status

router = new_router("generations")

GenerationId = Annotated[Ref, Path(description="The generation's id.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[ -~]+$",
        description="The same key and body give the same generation, however often they are sent. Use a fresh one each "
        "time that you mean a new generation.",
    ),
]

_APPLIED: dict[str, Any] = {
    "Preference-Applied": {"description": "The wait that was granted.", "schema": {"type": "string"}}
}
_CREATED: dict[int | str, dict[str, Any]] = {
    200: {"description": "It has ended, within the wait.", "model": GenerationRead, "headers": _APPLIED},
    202: {
        "description": "It is accepted, and its credits are held.",
        "headers": {"Location": {"description": "Where it is.", "schema": {"type": "string"}}, **_APPLIED},
    },
}


@router.post(
    "/generations",
    status_code=202,
    responses={**_CREATED, **problems.responses(400, 402, 404, 409, 413, 415, 429, 502)},
    summary="Ask for a generation",
)
async def create(
    body: GenerationCreate,
    response: Response,
    parts: Parts,
    on_behalf: OnBehalf,
    wait: Wait,
    idempotency_key: IdempotencyKey = None,
) -> GenerationRead:
    """Validate the input, hold the credits, and accept. Nothing is charged for what is not delivered."""
    if len(canonical_json(body.metadata)) > MAX_METADATA_BYTES:
        raise InvalidRequest(f"metadata may have at most {MAX_METADATA_BYTES} bytes of JSON.")
    new = NewGeneration(
        body.model,
        body.input,
        body.metadata,
        idempotency_key,
        destination=body.destination,
        stream=body.stream,
    )
    row = await wait.until_ended(await parts.generations.create(on_behalf.account_id, new))
    response.headers["Location"] = f"/v1/generations/{row.id}"
    response.status_code = 200 if wait.wanted and row.status in FINAL else 202
    return await _one(parts, row, on_behalf)


@router.get(
    "/generations/{generation_id}",
    responses={200: {"headers": _APPLIED}, **problems.responses(404)},
    summary="Look at a generation",
)
async def get(generation_id: GenerationId, parts: Parts, on_behalf: OnBehalf, wait: Wait) -> GenerationRead:
    """How it is now; with ``Prefer: wait`` when it has ended. Links to files are fresh each time."""
    row = await wait.until_ended(await parts.generations.get(on_behalf.account_id, generation_id))
    return await _one(parts, row, on_behalf)


@router.get("/generations", responses=problems.responses(404), summary="List generations")
async def page(
    parts: Parts,
    on_behalf: OnBehalf,
    before: Annotated[GenerationRef | None, Query(description="The cursor: only those older than this id.")] = None,
    limit: Limit = 20,
    status: StatusName | None = None,
    model: Name | None = None,
) -> Page[GenerationRead]:
    """The account's generations, newest first."""
    wanted = Status(status) if status else None
    which = Filter(before=before, status=wanted, model=model)
    rows = await parts.generations.page(on_behalf.account_id, which, limit=limit + 1)
    rows, next_cursor = cut(rows, limit, lambda row: row.id)
    return page_of(await show(parts, rows, on_behalf.principal), next_cursor)


@router.post(
    "/generations/{generation_id}/cancel",
    status_code=202,
    responses=problems.responses(404),
    summary="Cancel a generation",
)
async def cancel(generation_id: GenerationId, parts: Parts, on_behalf: OnBehalf) -> GenerationRead:
    """Ask for its end. What has ended stays as it is, and what is delivered all the same is charged."""
    row = await parts.generations.cancel(on_behalf.account_id, generation_id)
    return await _one(parts, row, on_behalf)


async def _one(parts: Runtime, row: Generation, on_behalf: Acting) -> GenerationRead:
    return (await show(parts, [row], on_behalf.principal))[0]
