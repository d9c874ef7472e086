"""Settle a hold, once: post what was earned, void the rest; and refund what was posted, if a later truth asks for it.

Locks are taken in one order everywhere: hold, balance, lots. A hold that is being reserved is not yet visible to
anybody else, so reserving, which starts at the balance, cannot wait in a circle with settling.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.errors import InvalidRequest
from mutoscope.ledger import expiry, postgres, tables
from mutoscope.ledger.records import Hold
from mutoscope.ledger.rules import DEFAULT_GRACE_S, Kind, Part, Settled, settle

_balances, _lots, _holds, _transfers = tables.balances, tables.lots, tables.holds, tables.transfers


class _Terms(NamedTuple):
    reason: str | None
    now: datetime
    grace_s: float


async def post(
    session: AsyncSession,
    hold_id: str,
    *,
    amount: int,
    reason: str | None,
    now: datetime,
    grace_s: float = DEFAULT_GRACE_S,
) -> Hold:
    """Spend ``amount`` of the hold and return the rest to its lots; with 0 the same as ``void``.

    The first settlement wins. A later one, of any sort, changes nothing and returns the hold as it was settled.

    Args:
        session: The caller's transaction.
        hold_id: The hold.
        amount: Credits, from 0 to what is held.
        reason: Why, for machines; kept on the hold and its transfers.
        now: The time.
        grace_s: How long credits can still be used that return to a lot which has expired meanwhile.

    Raises:
        InvalidRequest: More than is held, or less than nothing.
        NotFound: There is no such hold.
    """
    if amount < 0:
        raise InvalidRequest("An amount to post cannot be negative")
    if amount and postgres.speaks(session):
        whole = await postgres.post_all(session, hold_id, amount=amount, reason=reason, now=now)
        if whole is not None:
            return whole
    hold = await _close(session, hold_id, amount, reason, now)
    if hold is None:
        return await _settled_before(session, hold_id, amount)
    await _move_balance(session, hold, spent=amount)
    query = (
        select(_transfers.c.lot_id, _transfers.c.amount)
        .where(_transfers.c.hold_id == hold_id, _transfers.c.kind == "reserve")
        .order_by(_transfers.c.id)
    )
    parts = settle([Part(*row) for row in await session.execute(query)], amount)
    await _settle_lots(session, hold, parts, _Terms(reason, now, grace_s))
    return hold


async def void(
    session: AsyncSession, hold_id: str, *, reason: str | None, now: datetime, grace_s: float = DEFAULT_GRACE_S
) -> Hold:
    """Return the whole hold to its lots. See ``post``.

    Raises:
        NotFound: There is no such hold.
    """
    return await post(session, hold_id, amount=0, reason=reason, now=now, grace_s=grace_s)


async def _close(session: AsyncSession, hold_id: str, amount: int, reason: str | None, now: datetime) -> Hold | None:
    """Settle the hold's row; ``None`` when it is settled already, or does not hold that much, or does not exist."""
    closed = (
        update(_holds)
        .where(_holds.c.id == hold_id, _holds.c.state == "pending", _holds.c.amount >= amount)
        .values(state="posted" if amount else "voided", posted=amount, reason=reason, settled_at=now)
        .returning(*tables.HOLD)
    )
    row = (await session.execute(closed)).one_or_none()
    return tables.hold_of(row) if row else None


async def _settled_before(session: AsyncSession, hold_id: str, amount: int) -> Hold:
    hold = await tables.read_hold(session, hold_id)
    if hold.state == "pending":
        raise InvalidRequest(f"{amount} credits cannot be posted: the hold is for {hold.amount}")
    return hold


async def _move_balance(session: AsyncSession, hold: Hold, *, spent: int) -> None:
    await session.execute(
        update(_balances)
        .where(_balances.c.account_id == hold.account_id, _balances.c.credit_type == hold.credit_type)
        .values(
            held=_balances.c.held - hold.amount,
            spent=_balances.c.spent + spent,
            available=_balances.c.available + (hold.amount - spent),
        )
    )


async def _settle_lots(session: AsyncSession, hold: Hold, parts: Sequence[Settled], terms: _Terms) -> None:
    returning = [part.lot_id for part in parts if part.returned]
    if returning:
        await expiry.revive(session, hold.account_id, returning, now=terms.now, grace_s=terms.grace_s)
    moved = update(_lots).where(_lots.c.id == bindparam("lot")).values(
        held=_lots.c.held - bindparam("posted") - bindparam("returned"),
        spent=_lots.c.spent + bindparam("posted"),
        remaining=_lots.c.remaining + bindparam("returned"),
    )  # fmt: skip
    rows = [{"lot": part.lot_id, "posted": part.posted, "returned": part.returned} for part in parts]
    await session.execute(moved, rows)
    await tables.append(session, [row for part in parts for row in _entries(hold, part, terms)])


def _entries(hold: Hold, part: Settled, terms: _Terms) -> list[dict[str, Any]]:
    owner, more = (hold.account_id, hold.credit_type), {"hold_id": hold.id, "reason": terms.reason}
    amounts: tuple[tuple[Kind, int], ...] = (("post", part.posted), ("void", part.returned))
    return [
        tables.entry(kind, Part(part.lot_id, amount), owner, terms.now, **more) for kind, amount in amounts if amount
    ]
