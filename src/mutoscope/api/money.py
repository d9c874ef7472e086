"""Movements of credits that operators ask for, each one transaction with its event."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.api.shapes.money import GrantCreate, RefundCreate
from mutoscope.core.clock import Clock
from mutoscope.db import Database
from mutoscope.events import service as events
from mutoscope.generations.models import Generation
from mutoscope.ledger import service as ledger
from mutoscope.ledger.models import CreditHold, CreditLot, CreditTransfer


async def give(database: Database, clock: Clock, account_id: str, new: GrantCreate) -> CreditLot:
    """Grant credits; the same grant again changes nothing.

    Raises:
        GrantConflict: The external id was granted before with another amount or expiry, or to another account.
        InvalidRequest: An amount or expiry that cannot be.
    """
    now = clock.now()
    async with database.write() as session:
        lot = await ledger.grant(
            session,
            account_id=account_id,
            credit_type=new.credit_type,
            amount=new.amount,
            source=new.source,
            external_id=new.external_id,
            priority=new.priority,
            expires_at=new.expires_at,
            now=now,
        )
        if lot.created_at == now:
            data = {"credit_type": lot.credit_type, "amount": lot.amount, "source": lot.source}
            await events.record(session, account_id, "credits.granted", lot.id, data=data, now=now)
        return lot


async def refund(
    database: Database, clock: Clock, row: Generation, new: RefundCreate, *, key: str, grace_s: float
) -> None:
    """Give charged credits back, with an explicit entry. The same key again changes nothing.

    Raises:
        Conflict: More than was charged and not yet refunded, or the key was used for something else.
    """
    now = clock.now()
    async with database.write() as session:
        await ledger.refund(
            session,
            row.hold_id,
            amount=new.amount,
            key=f"refund:{key}",
            reason=new.reason,
            now=now,
            grace_s=grace_s,
        )
        if await _refunded_now(session, row.hold_id, now):
            data = {"credit_type": row.credit_type, "amount": new.amount, "reason": new.reason}
            await events.record(session, row.account_id, "credits.refunded", row.id, data=data, now=now)


async def generations_of(session: AsyncSession, transfers: Sequence[CreditTransfer]) -> dict[str, str]:
    """The generation of each hold among ``transfers``, by the hold's id."""
    hold_ids = {row.hold_id for row in transfers if row.hold_id}
    # A generation holds its credits under its own id.
    found = await session.execute(select(CreditHold.id, CreditHold.key).where(CreditHold.id.in_(hold_ids)))
    return {row.id: row.key for row in found}


async def _refunded_now(session: AsyncSession, hold_id: str, now: datetime) -> bool:
    """Whether this transaction made an entry, rather than finding one that was made before."""
    made = select(CreditTransfer.id).where(
        CreditTransfer.hold_id == hold_id, CreditTransfer.kind == "refund", CreditTransfer.created_at == now
    )
    return await session.scalar(made.limit(1)) is not None
