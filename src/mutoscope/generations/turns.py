"""Since when each account has waited for its turn.

Whoever was let in stands at the back of the line again. Without that an account with a long queue, whose rows are the
oldest, would be first each time that nobody has more in flight than it has, and others would wait until it is done.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.db.base import table
from mutoscope.db.upsert import built_once
from mutoscope.generations.models import AccountTurn

TURNS = table(AccountTurn)
_TAKE = built_once(
    TURNS,
    lambda made: made.on_conflict_do_update(
        index_elements=["provider", "account_id"], set_={"admitted_at": made.excluded.admitted_at}
    ),
)


def of(provider: ColumnElement[Any], account_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Joins an account's last turn, if it has had one."""
    return and_(TURNS.c.provider == provider, TURNS.c.account_id == account_id)


def waiting_since(created_at: ColumnElement[datetime]) -> ColumnElement[datetime]:
    """From when a row counts: since it was made, or since its account was last let in, whichever is later."""
    return case((TURNS.c.admitted_at > created_at, TURNS.c.admitted_at), else_=created_at)


async def take(session: AsyncSession, provider: str, account_ids: Iterable[str], *, now: datetime) -> None:
    """These accounts have had their turn. Only under the lock of the provider's budget."""
    rows = [{"provider": provider, "account_id": one, "admitted_at": now} for one in sorted(set(account_ids))]
    await session.execute(_TAKE(session), rows)
