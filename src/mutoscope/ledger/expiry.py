"""Expiry: what remains of a lot after its time is taken away, by a job that is due now and then."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import bindparam, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.ledger import tables
from mutoscope.ledger.rules import Part

_balances, _lots = tables.balances, tables.lots
_REMAINDER = select(_lots.c.account_id, _lots.c.credit_type, _lots.c.id, _lots.c.remaining)


class _Remainder(NamedTuple):
    account_id: str
    credit_type: str
    id: str
    remaining: int


async def expire_due(session: AsyncSession, *, now: datetime, limit: int = 500) -> int:
    """Move what remains of at most ``limit`` expired lots from available to expired; return how many lots.

    Balances that somebody else is working on are left for the next time, so this never waits for anybody.
    """
    due = _REMAINDER.where(_lots.c.expires_at <= now, _lots.c.remaining > 0)
    found = [_Remainder(*row) for row in await session.execute(due.order_by(_lots.c.expires_at).limit(limit))]
    if not found:
        return 0
    owner = tuple_(_balances.c.account_id, _balances.c.credit_type)
    free = (
        select(_balances.c.account_id, _balances.c.credit_type)
        .where(owner.in_({(lot.account_id, lot.credit_type) for lot in found}))
        .order_by(_balances.c.account_id, _balances.c.credit_type)
        .with_for_update(skip_locked=True)
    )
    locked = {tuple(row) for row in await session.execute(free)}
    mine = [lot.id for lot in found if (lot.account_id, lot.credit_type) in locked]
    # Read again: the lots may have moved between our first look and the lock.
    lots = [_Remainder(*row) for row in await session.execute(due.where(_lots.c.id.in_(mine)))]
    await _sweep(session, lots, now=now)
    return len(lots)


async def revive(
    session: AsyncSession, account_id: str, lot_ids: Sequence[str], *, now: datetime, grace_s: float
) -> None:
    """Before credits return to lots: give those that have expired a last grace, but only to what returns.

    What still remained of such a lot was due to expire, and does so first. The balance must be locked.
    """
    late = _REMAINDER.where(_lots.c.account_id == account_id, _lots.c.id.in_(lot_ids), _lots.c.expires_at <= now)
    lots = [_Remainder(*row) for row in await session.execute(late)]
    if not lots:
        return
    await _sweep(session, lots, now=now)
    extended = update(_lots).where(_lots.c.id.in_([lot.id for lot in lots]))
    await session.execute(extended.values(expires_at=now + timedelta(seconds=grace_s)))


async def _sweep(session: AsyncSession, lots: Sequence[_Remainder], *, now: datetime) -> None:
    lots = sorted((lot for lot in lots if lot.remaining), key=lambda lot: (lot.account_id, lot.credit_type, lot.id))
    if not lots:
        return
    owned = [
        {"account": account, "type": credit_type, "swept": sum(lot.remaining for lot in group)}
        for (account, credit_type), group in groupby(lots, key=lambda lot: (lot.account_id, lot.credit_type))
    ]
    balance = (
        update(_balances)
        .where(_balances.c.account_id == bindparam("account"), _balances.c.credit_type == bindparam("type"))
        .values(available=_balances.c.available - bindparam("swept"), expired=_balances.c.expired + bindparam("swept"))
    )
    await session.execute(balance, owned)
    emptied = update(_lots).values(expired=_lots.c.expired + _lots.c.remaining, remaining=0)
    await session.execute(emptied.where(_lots.c.id.in_([lot.id for lot in lots])))
    await tables.append(
        session,
        (tables.entry("expire", Part(lot.id, lot.remaining), (lot.account_id, lot.credit_type), now) for lot in lots),
    )
