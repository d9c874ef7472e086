"""Grants: credits come into an account as a lot, once per external id; a purchase into one account only."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.errors import InvalidRequest, NotFound
from mutoscope.core.ids import new_id
from mutoscope.db.upsert import upsert
from mutoscope.ledger import tables
from mutoscope.ledger.errors import GrantConflict
from mutoscope.ledger.models import CreditLot
from mutoscope.ledger.rules import MAX_ISSUED, Part, check_amount, check_grant, same_expiry


async def grant(  # noqa: PLR0913 - each is a column of the lot
    session: AsyncSession,
    *,
    account_id: str,
    credit_type: str,
    amount: int,
    source: str,
    external_id: str,
    priority: int = 0,
    expires_at: datetime | None = None,
    now: datetime,
) -> CreditLot:
    """Give ``amount`` credits as a new lot. The same grant again returns the same lot and changes nothing.

    Raises:
        InvalidRequest: An amount, name or expiry that cannot be.
        GrantConflict: This external id was granted before with another amount or expiry, or it is a purchase of another
            account. The transaction must then be rolled back.
        NotFound: There is no such account. The transaction must then be rolled back.
    """
    check_amount(amount)
    check_grant(credit_type=credit_type, source=source, external_id=external_id)
    issued = await _lock_balance(session, account_id, credit_type)
    made = select(CreditLot).where(
        CreditLot.account_id == account_id,
        CreditLot.credit_type == credit_type,
        CreditLot.source == source,
        CreditLot.external_id == external_id,
    )
    lot = await session.scalar(made)
    if lot is not None:
        return _same(lot, amount, expires_at, now)
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("A grant cannot expire before it is made")
    if amount - issued > MAX_ISSUED:
        raise InvalidRequest(f"An account cannot be given more than {MAX_ISSUED} credits of one type")
    lot_id = new_id("lot")
    row = {"account_id": account_id, "credit_type": credit_type, "source": source, "external_id": external_id}
    figures = {"amount": amount, "remaining": amount, "held": 0, "spent": 0, "expired": 0}
    more = {"priority": priority, "expires_at": expires_at, "created_at": now}
    await _add_lot(session, {"id": lot_id, **row, **figures, **more})
    await tables.append(session, [tables.entry("grant", Part(lot_id, amount), (account_id, credit_type), now)])
    await session.execute(
        update(tables.balances)
        .where(tables.balances.c.account_id == account_id, tables.balances.c.credit_type == credit_type)
        .values(issued=tables.balances.c.issued - amount, available=tables.balances.c.available + amount)
    )
    return (await session.scalars(made)).one()


async def _lock_balance(session: AsyncSession, account_id: str, credit_type: str) -> int:
    """Make the balance row if it is missing, lock it either way, and return what was ``issued`` (never positive)."""
    zeros = {"issued": 0, "available": 0, "held": 0, "spent": 0, "expired": 0}
    row = upsert(session, tables.balances).values(account_id=account_id, credit_type=credit_type, **zeros)
    key = [tables.balances.c.account_id, tables.balances.c.credit_type]
    locked = row.on_conflict_do_update(index_elements=key, set_={"issued": tables.balances.c.issued})
    try:
        return (await session.execute(locked.returning(tables.balances.c.issued))).scalar_one()
    except IntegrityError as error:
        raise NotFound(f"There is no account {account_id}") from error


async def _add_lot(session: AsyncSession, row: dict[str, Any]) -> None:
    added = upsert(session, tables.lots).values(row).on_conflict_do_nothing().returning(tables.lots.c.id)
    if await session.scalar(added) is None:
        # This account's own grants wait for its balance row, so the one in the way is another account's purchase.
        raise GrantConflict(
            f"The purchase {row['external_id']} was granted to another account; a payment belongs to one account."
        )


def _same(lot: CreditLot, amount: int, expires_at: datetime | None, now: datetime) -> CreditLot:
    if lot.amount != amount or not same_expiry(lot.expires_at, expires_at, now):
        raise GrantConflict(
            f"{lot.source} {lot.external_id} was granted before as {lot.amount} {lot.credit_type} with expiry "
            f"{lot.expires_at}; use another external id for another grant.",
            lot_id=lot.id,
        )
    return lot
