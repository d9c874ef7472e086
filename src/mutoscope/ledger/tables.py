"""The ledger's plain tables, and the few statements that more than one of its modules sends."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.errors import NotFound
from mutoscope.db.base import table
from mutoscope.ledger.models import CreditBalance, CreditHold, CreditLot, CreditTransfer
from mutoscope.ledger.records import Hold
from mutoscope.ledger.rules import MOVES, Kind, Part

balances, holds, lots, transfers = (table(model) for model in (CreditBalance, CreditHold, CreditLot, CreditTransfer))

HOLD: tuple[Column[Any], ...] = (
    holds.c.id, holds.c.account_id, holds.c.credit_type, holds.c.amount, holds.c.posted, holds.c.state, holds.c.reason
)  # fmt: skip


def hold_of(row: Sequence[Any]) -> Hold:
    """The value of a row selected as ``HOLD``."""
    return Hold(*row)


async def read_hold(session: AsyncSession, hold_id: str) -> Hold:
    """The hold as it stands.

    Raises:
        NotFound: There is no such hold.
    """
    row = (await session.execute(select(*HOLD).where(holds.c.id == hold_id))).one_or_none()
    if row is None:
        raise NotFound(f"There is no hold {hold_id}")
    return hold_of(row)


def entry(kind: Kind, part: Part, owner: tuple[str, str], now: datetime, **more: str | None) -> dict[str, Any]:
    """One transfer's row. ``owner`` is the account and the credit type; ``more`` may hold hold_id, key and reason."""
    debit, credit = MOVES[kind]
    row = {"account_id": owner[0], "credit_type": owner[1], "kind": kind, "debit": debit, "credit": credit}
    named = {"hold_id": None, "key": None, "reason": None} | more
    return {**row, **named, "amount": part.amount, "lot_id": part.lot_id, "created_at": now}


async def append(session: AsyncSession, entries: Iterable[dict[str, Any]]) -> None:
    """Write transfers, in this order."""
    rows = list(entries)
    if rows:
        await session.execute(insert(transfers), rows)
