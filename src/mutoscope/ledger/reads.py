"""Read the ledger: balances, lots and transfers of one account."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.clock import SystemClock
from mutoscope.ledger import tables
from mutoscope.ledger.models import CreditLot, CreditTransfer
from mutoscope.ledger.records import Balance, Expiring

MAX_EXPIRING = 5
MAX_PAGE = 500

_balances, _lots = tables.balances, tables.lots


async def balances(session: AsyncSession, account_id: str, *, now: datetime | None = None) -> Sequence[Balance]:
    """What the account has, one entry per credit type, as of ``now`` (left out: this machine's clock)."""
    now = now or SystemClock().now()
    of_type = (_lots.c.account_id == _balances.c.account_id) & (_lots.c.credit_type == _balances.c.credit_type)
    overdue = select(func.coalesce(func.sum(_lots.c.remaining), 0)).where(of_type, _lots.c.expires_at <= now)
    # One statement: a sweep between two would take the same credits away twice.
    query = select(_balances, overdue.scalar_subquery().label("unswept")).where(_balances.c.account_id == account_id)
    rows = (await session.execute(query.order_by(_balances.c.credit_type))).all()
    expiring = await _expiring(session, account_id, now)
    return [
        Balance(
            credit_type=row.credit_type,
            available=row.available - int(row.unswept),
            held=row.held,
            spent=row.spent,
            expired=row.expired + int(row.unswept),
            expiring=expiring[row.credit_type],
        )
        for row in rows
    ]


async def _expiring(session: AsyncSession, account_id: str, now: datetime) -> dict[str, list[Expiring]]:
    """The next few lots that will expire, for each credit type."""
    order = func.row_number().over(partition_by=_lots.c.credit_type, order_by=(_lots.c.expires_at, _lots.c.id))
    ranked = (
        select(_lots.c.credit_type, _lots.c.id, _lots.c.remaining, _lots.c.expires_at, order.label("rank"))
        .where(_lots.c.account_id == account_id, _lots.c.remaining > 0, _lots.c.expires_at > now)
        .subquery()
    )
    found: defaultdict[str, list[Expiring]] = defaultdict(list)
    first = select(ranked).where(ranked.c.rank <= MAX_EXPIRING).order_by(ranked.c.rank)
    for row in await session.execute(first):
        found[row.credit_type].append(Expiring(row.id, row.remaining, row.expires_at))
    return found


async def transfers(
    session: AsyncSession, account_id: str, *, after: int | None, limit: int, credit_type: str | None = None
) -> Sequence[CreditTransfer]:
    """The account's transfers, newest first.

    Args:
        session: The caller's transaction.
        account_id: Whose.
        after: The id of the last one seen; ``None`` for the first page.
        limit: At most so many, and never more than ``MAX_PAGE``.
        credit_type: Only these.
    """
    query = select(CreditTransfer).where(CreditTransfer.account_id == account_id)
    if after is not None:
        query = query.where(CreditTransfer.id < after)
    if credit_type is not None:
        query = query.where(CreditTransfer.credit_type == credit_type)
    page = query.order_by(CreditTransfer.id.desc()).limit(min(limit, MAX_PAGE))
    return (await session.scalars(page)).all()


async def lots(session: AsyncSession, account_id: str, *, limit: int = MAX_PAGE) -> Sequence[CreditLot]:
    """The account's lots, newest first, used up or not."""
    query = select(CreditLot).where(CreditLot.account_id == account_id).order_by(CreditLot.id.desc())
    return (await session.scalars(query.limit(min(limit, MAX_PAGE)))).all()
