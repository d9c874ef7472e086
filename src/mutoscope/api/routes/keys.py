"""``/v1/accounts/{account}/keys`` and ``/v1/keys``, for operators: the keys of accounts."""

from typing import Annotated

from fastapi import Path, Query

from mutoscope.api import problems
from mutoscope.api.pages import Limit, Page, cut, page_of
from mutoscope.api.parts import Parts
from mutoscope.api.routers import new_router
from mutoscope.api.routes.accounts import AccountRef
from mutoscope.api.shapes.account import KeyCreate, KeyCreated, KeyRead
from mutoscope.api.texts import Ref

router = new_router("keys (operators)", operators=True)


@router.post(
    "/accounts/{account}/keys",
    status_code=201,
    responses=problems.responses(400, 404, 413, 415),
    summary="Make a key",
)
async def create(account: AccountRef, body: KeyCreate, parts: Parts) -> KeyCreated:
    """A key for an account. Its text is in this answer and nowhere else."""
    owner = await parts.accounts.get(account)
    key, secret = await parts.accounts.create_key("account", owner.id, body.name, body.expires_at)
    return KeyCreated(key=KeyRead.of(key), secret=secret)


@router.get("/accounts/{account}/keys", responses=problems.responses(404), summary="List an account's keys")
async def page(
    account: AccountRef,
    parts: Parts,
    after: Annotated[Ref | None, Query(description="The cursor: only those made after this id.")] = None,
    limit: Limit = 20,
) -> Page[KeyRead]:
    """Keys in the order they were made, revoked ones too."""
    owner = await parts.accounts.get(account)
    rows, next_cursor = cut(await parts.accounts.list_keys(owner.id, after, limit + 1), limit, lambda row: row.id)
    return page_of([KeyRead.of(row) for row in rows], next_cursor)


@router.delete("/keys/{key_id}", responses=problems.responses(404), summary="Revoke a key")
async def revoke(key_id: Annotated[Ref, Path(description="The key's id.")], parts: Parts) -> KeyRead:
    """End a key now and for ever. Doing it again changes nothing."""
    return KeyRead.of(await parts.accounts.revoke_key(key_id))
