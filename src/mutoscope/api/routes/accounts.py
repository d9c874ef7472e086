"""``/v1/accounts``, for operators: the accounts of the app's users."""

from typing import Annotated

from fastapi import Path, Query

from mutoscope.api import problems
from mutoscope.api.pages import Limit, Page, cut, page_of
from mutoscope.api.parts import Parts
from mutoscope.api.routers import new_router
from mutoscope.api.shapes.account import AccountCreate, AccountRead
from mutoscope.api.shapes.generation import MAX_METADATA_BYTES
from mutoscope.api.texts import AccountId, Name
from mutoscope.core.canonical import canonical_json
from mutoscope.core.errors import InvalidRequest

router = new_router("accounts (operators)", operators=True)

AccountRef = Annotated[Name, Path(description="The account's id or external id.")]


@router.post("/accounts", responses=problems.responses(400, 404, 413, 415), summary="Make an account")
async def create(body: AccountCreate, parts: Parts) -> AccountRead:
    """The account of an external id: made if it is new, else as it is."""
    if len(canonical_json(body.metadata)) > MAX_METADATA_BYTES:
        raise InvalidRequest(f"metadata may have at most {MAX_METADATA_BYTES} bytes of JSON.")
    row = await parts.accounts.create(body.external_id, body.name, body.priority, body.max_in_flight, body.metadata)
    return AccountRead.of(row)


@router.get("/accounts", responses=problems.responses(404), summary="List accounts")
async def page(
    parts: Parts,
    after: Annotated[AccountId | None, Query(description="The cursor: only those made after this id.")] = None,
    limit: Limit = 20,
) -> Page[AccountRead]:
    """Accounts in the order they were made."""
    rows, next_cursor = cut(await parts.accounts.list(after, limit + 1), limit, lambda row: row.id)
    return page_of([AccountRead.of(row) for row in rows], next_cursor)


@router.get("/accounts/{account}", responses=problems.responses(404), summary="Look at an account")
async def get(account: AccountRef, parts: Parts) -> AccountRead:
    """One account."""
    return AccountRead.of(await parts.accounts.get(account))
