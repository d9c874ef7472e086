"""Refund: the explicit compensating entry, when credits were spent and a later truth says they should not have been."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.errors import Conflict
from mutoscope.ledger import expiry, tables
from mutoscope.ledger.records import Hold
from mutoscope.ledger.rules import DEFAULT_GRACE_S, Part, check_amount, give_back, total

_balances, _lots, _transfers = tables.balances, tables.lots, tables.transfers


async def refund(  # noqa: PLR0913 - a movement, its name and its reason
    session: AsyncSession,
    hold_id: str,
    *,
    amount: int,
    key: str,
    reason: str,
    now: datetime,
    grace_s: float = DEFAULT_GRACE_S,
) -> Hold:
    """Give ``amount`` posted credits back to the lots they came from, the last used first.

    The same key again changes nothing. Returns the hold, which stays as it was settled.

    Raises:
        Conflict: More than was posted and not yet refunded, or the key was used for something else.
        NotFound: There is no such hold.
    """
    check_amount(amount)
    hold = await tables.read_hold(session, hold_id)
    owned = (_balances.c.account_id == hold.account_id) & (_balances.c.credit_type == hold.credit_type)
    await session.execute(select(_balances.c.available).where(owned).with_for_update())
    if await _refunded_before(session, hold, amount, key):
        return hold
    spent = await _spent(session, hold_id)
    parts = give_back(spent, amount)
    if total(parts) < amount:
        raise Conflict(f"{amount} credits cannot be refunded: {total(spent)} of this hold are spent")
    await expiry.revive(session, hold.account_id, [part.lot_id for part in parts], now=now, grace_s=grace_s)
    moved = {"spent": _balances.c.spent - amount, "available": _balances.c.available + amount}
    await session.execute(update(_balances).where(owned).values(**moved))
    returned = update(_lots).where(_lots.c.id == bindparam("lot")).values(
        spent=_lots.c.spent - bindparam("returned"), remaining=_lots.c.remaining + bindparam("returned")
    )  # fmt: skip
    await session.execute(returned, [{"lot": part.lot_id, "returned": part.amount} for part in parts])
    owner, more = (hold.account_id, hold.credit_type), {"hold_id": hold_id, "reason": reason}
    entries = (
        tables.entry("refund", part, owner, now, key=_numbered(key, number), **more)
        for number, part in enumerate(parts)
    )
    await tables.append(session, entries)
    return hold


def _numbered(key: str, number: int) -> str:
    # Keys are unique, and one refund may go to several lots.
    return f"{key}#{number}"


async def _refunded_before(session: AsyncSession, hold: Hold, amount: int, key: str) -> bool:
    same_key = (_transfers.c.account_id == hold.account_id) & (_transfers.c.key == _numbered(key, 0))
    used_for = await session.scalar(select(_transfers.c.hold_id).where(same_key))
    if used_for is None:
        return False
    refunds = select(_transfers.c.key, _transfers.c.amount).where(
        _transfers.c.hold_id == used_for, _transfers.c.kind == "refund"
    )
    before = sum(row.amount for row in await session.execute(refunds) if row.key.rpartition("#")[0] == key)
    if (used_for, before) != (hold.id, amount):
        raise Conflict("This key was used for another refund")
    return True


async def _spent(session: AsyncSession, hold_id: str) -> list[Part]:
    """What the hold spent and has not got back, for each lot in the order of use."""
    moves = select(_transfers.c.lot_id, _transfers.c.kind, _transfers.c.amount).where(
        _transfers.c.hold_id == hold_id, _transfers.c.kind.in_(("post", "refund"))
    )
    spent: defaultdict[str, int] = defaultdict(int)
    for row in await session.execute(moves.order_by(_transfers.c.id)):
        spent[row.lot_id] += row.amount if row.kind == "post" else -row.amount
    return [Part(lot_id, amount) for lot_id, amount in spent.items() if amount]
