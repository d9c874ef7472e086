"""Grants and refunds, for operators: how credits come in, and how charged ones come back."""

from typing import Annotated

from fastapi import Header

from mutoscope.api import problems
from mutoscope.api.callers import OnBehalf
from mutoscope.api.money import give, refund
from mutoscope.api.parts import Parts
from mutoscope.api.routers import new_router
from mutoscope.api.routes.accounts import AccountRef
from mutoscope.api.routes.generations import GenerationId
from mutoscope.api.shapes.money import GrantCreate, LotRead, RefundCreate, RefundRead

router = new_router("credits (operators)", operators=True)

RefundKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[ -~]+$",
        description="Names the refund: the same key again gives nothing more.",
    ),
]


@router.post(
    "/accounts/{account}/grants",
    status_code=201,
    responses=problems.responses(400, 404, 409, 413, 415),
    summary="Grant credits",
)
async def grant(account: AccountRef, body: GrantCreate, parts: Parts) -> LotRead:
    """Give credits to an account, once per external id."""
    owner = await parts.accounts.get(account)
    return LotRead.of(await give(parts.database, parts.clock, owner.id, body))


@router.post(
    "/generations/{generation_id}/refunds",
    status_code=201,
    responses=problems.responses(400, 404, 409, 413, 415),
    summary="Refund charged credits",
)
async def make_refund(
    generation_id: GenerationId,
    body: RefundCreate,
    parts: Parts,
    on_behalf: OnBehalf,
    idempotency_key: RefundKey,
) -> RefundRead:
    """Give charged credits of a generation back to its account, as an entry of its own."""
    row = await parts.generations.get(on_behalf.account_id, generation_id)
    grace_s = parts.settings.expiry_grace_s
    await refund(parts.database, parts.clock, row, body, key=idempotency_key, grace_s=grace_s)
    return RefundRead(generation_id=row.id, credit_type=row.credit_type, amount=body.amount, reason=body.reason)
