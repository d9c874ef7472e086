"""Record events inside the caller's transaction, and read them back by cursor."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.db.base import table
from mutoscope.db.upsert import built_once
from mutoscope.events.models import Event, EventCounter

_counters, _events = table(EventCounter), table(Event)
_COUNT = built_once(
    _counters,
    lambda first: first.on_conflict_do_update(
        index_elements=[_counters.c.account_id], set_={"last": _counters.c.last + 1}
    ).returning(_counters.c.last),
)
_APPEND = insert(_events)


async def record(
    session: AsyncSession, account_id: str, kind: str, subject_id: str, *, data: dict[str, Any], now: datetime
) -> int:
    """Append an event to the account's sequence and return its number.

    Holds the counter's row lock until the transaction ends, which keeps the sequence free of gaps. Call it last: every
    transaction locks the generation, then the balance, then the counter, so that none waits in a circle.
    """
    number: int = (await session.execute(_COUNT(session), {"account_id": account_id, "last": 1})).scalar_one()
    row = {"account_id": account_id, "number": number, "type": kind, "subject_id": subject_id, "data": data}
    await session.execute(_APPEND, {**row, "created_at": now})
    return number


async def after(session: AsyncSession, account_id: str, number: int, *, limit: int) -> Sequence[Event]:
    """The account's events that follow ``number``, oldest first, at most ``limit``."""
    query = (
        select(Event).where(Event.account_id == account_id, Event.number > number).order_by(Event.number).limit(limit)
    )
    return (await session.scalars(query)).all()
