"""``/v1/credits``: what the account has, and every movement of it."""

from typing import Annotated

from fastapi import Query

from mutoscope.api import problems
from mutoscope.api.callers import OnBehalf
from mutoscope.api.money import generations_of
from mutoscope.api.pages import Limit, Page, cut, page_of
from mutoscope.api.parts import Parts
from mutoscope.api.routers import new_router
from mutoscope.api.shapes.money import BalanceRead, BalancesRead, TransferRead
from mutoscope.api.texts import Word
from mutoscope.ledger import service as ledger

router = new_router("credits")


@router.get("/credits", responses=problems.responses(404), summary="Look at the balance")
async def balances(parts: Parts, on_behalf: OnBehalf) -> BalancesRead:
    """What the account has, by credit type."""
    async with parts.database.read() as session:
        found = await ledger.balances(session, on_behalf.account_id, now=parts.clock.now())
    return BalancesRead(data=[BalanceRead.of(one) for one in found])


@router.get("/credits/transfers", responses=problems.responses(404), summary="List movements of credits")
async def transfers(
    parts: Parts,
    on_behalf: OnBehalf,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="The cursor: only older ones.")] = None,
    limit: Limit = 20,
    credit_type: Word | None = None,
) -> Page[TransferRead]:
    """The account's transfers, newest first. They are never changed; a correction is another transfer."""
    async with parts.database.read() as session:
        rows = await ledger.transfers(
            session, on_behalf.account_id, after=before, limit=limit + 1, credit_type=credit_type
        )
        rows, next_cursor = cut(rows, limit, lambda row: row.id)
        generations = await generations_of(session, rows)
    return page_of([TransferRead.of(row, generations) for row in rows], next_cursor)
