"""Reserve: set credits aside for one piece of work, before it is accepted.

The guarded update of the balance row comes first. It admits or refuses in one step, and its lock makes every other
movement of this account's credits of this type wait, so that the lots can then be read and changed in peace.
"""

from datetime import datetime
from typing import Any, NoReturn

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.errors import Conflict
from mutoscope.core.ids import new_id
from mutoscope.db.upsert import upsert
from mutoscope.ledger import postgres, tables
from mutoscope.ledger.errors import InsufficientCredits
from mutoscope.ledger.records import Hold
from mutoscope.ledger.rules import Part, allocate, check_amount, total

_balances, _lots, _holds = tables.balances, tables.lots, tables.holds

# Which lots are used first.
BURN_DOWN = (_lots.c.expires_at.asc().nulls_last(), _lots.c.priority, _lots.c.id)

_amount = bindparam("amount", type_=_balances.c.available.type)
_GUARDED = (
    update(_balances)
    .where(
        _balances.c.account_id == bindparam("account"),
        _balances.c.credit_type == bindparam("of_type"),
        _balances.c.available >= _amount,
    )
    .values(available=_balances.c.available - _amount, held=_balances.c.held + _amount)
    .returning(_balances.c.available)
)


async def reserve(
    session: AsyncSession, *, account_id: str, credit_type: str, amount: int, key: str, now: datetime
) -> Hold:
    """Hold ``amount`` credits under ``key``. The same key again returns the same hold and changes nothing.

    Raises:
        InsufficientCredits: The balance, or its unexpired lots, do not cover it. Roll the transaction back.
        Conflict: The key holds another amount or credit type. Roll the transaction back.
    """
    check_amount(amount)
    hold = Hold(new_id("hold"), account_id, credit_type, amount, posted=0, state="pending", reason=None)
    if await _move_balance(session, hold, amount):
        take = postgres.take if postgres.speaks(session) else _take
        if await take(session, hold, key=key, now=now):
            return hold
        await _move_balance(session, hold, -amount)
    return await _earlier(session, hold, key) or await _refuse(session, hold, now)


async def _move_balance(session: AsyncSession, hold: Hold, amount: int) -> bool:
    values = {"account": hold.account_id, "of_type": hold.credit_type, "amount": amount}
    return (await session.execute(_GUARDED, values)).one_or_none() is not None


async def _take(session: AsyncSession, hold: Hold, *, key: str, now: datetime) -> bool:
    """Write the hold and take it from lots; do neither when they do not cover it or the key is not new."""
    parts = await _pick_lots(session, hold, now)
    if total(parts) < hold.amount or not await _insert_hold(session, hold, key, now):
        return False
    owner = (hold.account_id, hold.credit_type)
    await tables.append(session, (tables.entry("reserve", part, owner, now, hold_id=hold.id) for part in parts))
    taken = update(_lots).where(_lots.c.id == bindparam("lot")).values(
        remaining=_lots.c.remaining - bindparam("taken"), held=_lots.c.held + bindparam("taken")
    )  # fmt: skip
    await session.execute(taken, [{"lot": part.lot_id, "taken": part.amount} for part in parts])
    return True


async def _pick_lots(session: AsyncSession, hold: Hold, now: datetime) -> list[Part]:
    """The first lots in burn-down order that together cover the hold, however many more there are."""
    running = func.sum(_lots.c.remaining).over(order_by=BURN_DOWN).label("running")
    live = (
        select(_lots.c.id, _lots.c.remaining, running)
        .where(_lots.c.account_id == hold.account_id, _lots.c.credit_type == hold.credit_type, _unexpired(now))
        .where(_lots.c.remaining > 0)
        .subquery()
    )
    query = select(live.c.id, live.c.remaining).where(live.c.running - live.c.remaining < hold.amount)
    rows = await session.execute(query.order_by(live.c.running))
    return allocate((Part(*row) for row in rows), hold.amount)


async def _insert_hold(session: AsyncSession, hold: Hold, key: str, now: datetime) -> bool:
    row: dict[str, Any] = {"id": hold.id, "account_id": hold.account_id, "credit_type": hold.credit_type, "key": key}
    statement = (
        upsert(session, _holds)
        .values(**row, amount=hold.amount, posted=0, state="pending", created_at=now)
        .on_conflict_do_nothing(index_elements=[_holds.c.account_id, _holds.c.key])
        .returning(_holds.c.id)
    )
    return (await session.execute(statement)).one_or_none() is not None


async def _earlier(session: AsyncSession, asked: Hold, key: str) -> Hold | None:
    """The hold that this key made before."""
    query = select(*tables.HOLD).where(_holds.c.account_id == asked.account_id, _holds.c.key == key)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        return None
    hold = tables.hold_of(row)
    if (hold.amount, hold.credit_type) != (asked.amount, asked.credit_type):
        raise Conflict(
            f"The key holds {hold.amount} {hold.credit_type} already, not {asked.amount} {asked.credit_type}"
        )
    return hold


async def _refuse(session: AsyncSession, asked: Hold, now: datetime) -> NoReturn:
    mine = (_lots.c.account_id == asked.account_id) & (_lots.c.credit_type == asked.credit_type)
    figures = select(
        func.coalesce(func.sum(_lots.c.remaining).filter(_unexpired(now)), 0), func.coalesce(func.sum(_lots.c.held), 0)
    )
    available, held = (int(figure) for figure in (await session.execute(figures.where(mine))).one())
    raise InsufficientCredits(
        f"This needs {asked.amount} {asked.credit_type} credits; {available} are available and {held} are held.",
        credit_type=asked.credit_type,
        needed=asked.amount,
        available=available,
        held=held,
        limit_source="held" if available + held >= asked.amount else "balance",
    )


def _unexpired(now: datetime) -> ColumnElement[bool]:
    return or_(_lots.c.expires_at.is_(None), _lots.c.expires_at > now)
