"""Deliveries: owed inside the transaction that makes their news true, then claimed, tried and ended, each once.

A claim moves ``due_at`` behind the time that one try may take, so that a sender who dies loses nothing, and counts the
try, so that whoever was given up for dead cannot end a try that is no longer theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.ids import new_id
from mutoscope.db.base import Utc, table
from mutoscope.db.upsert import upsert
from mutoscope.webhooks.models import WebhookDelivery

PROGRESS_EVERY = timedelta(milliseconds=500)
_rows = table(WebhookDelivery)


@dataclass(frozen=True, slots=True)
class Owed:
    """What somebody is to be told.

    Attributes:
        key: Names it; the same key is owed once.
        account_id: Whose secret signs it.
        kind: Which renderer makes the body.
        subject_id: What it is about. Messages about one subject are sent in the order in which they were owed.
        event: What happened to the subject.
        url: Where it goes.
        max_attempts: How often it is tried.
    """

    key: str
    account_id: str
    kind: str
    subject_id: str
    event: str
    url: str
    max_attempts: int

    def row(self, now: datetime) -> dict[str, Any]:
        """As it is first written."""
        values = {name: getattr(self, name) for name in self.__slots__}
        fresh = {"message_id": new_id("msg"), "state": "pending", "due_at": now, "attempts": 0, "created_at": now}
        return values | fresh


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """How much one claim takes.

    Attributes:
        lease: How long a try may take; after it another may take the delivery.
        total: How many.
        per_account: How many of one account may be under way, so that its slow receiver is not everybody's.
        under_way: How many are, by account.
    """

    lease: timedelta
    total: int
    per_account: int
    under_way: Mapping[str, int] = field(default_factory=dict[str, int])


async def owe(session: AsyncSession, owed: Owed, *, now: datetime) -> None:
    """Write down a message, once; it is sent after the caller's transaction."""
    await session.execute(upsert(session, _rows).values(owed.row(now)).on_conflict_do_nothing())


async def owe_progress(session: AsyncSession, owed: Owed, *, now: datetime) -> None:
    """Write down that there is something new to tell; at most one message in 500 ms.

    What was not sent yet tells it too. What is being sent keeps its turn, and is followed by another when it has ended:
    two posts at a time could arrive in any order.
    """
    row = upsert(session, _rows).values(owed.row(now))
    under_way = _rows.c.due_at.is_not(None)
    just_told = _rows.c.attempted_at > now - PROGRESS_EVERY
    due = case((just_told, literal(now + PROGRESS_EVERY, Utc)), else_=literal(now, Utc))
    again = {"message_id": row.excluded.message_id, "state": "pending", "due_at": due, "attempts": 0, "ended_at": None}
    values = {name: case((under_way, _rows.c[name]), else_=value) for name, value in again.items()}
    await session.execute(
        row.on_conflict_do_update(
            index_elements=[_rows.c.key], set_=values | {"newer_news": under_way}, where=_rows.c.attempts > 0
        )
    )


async def drop(session: AsyncSession, key: str, *, now: datetime) -> None:
    """There is later news: what was not sent yet under ``key`` is not sent. It waits for what is being sent."""
    owed = (_rows.c.key == key, _rows.c.due_at.is_not(None))
    # First, because it waits for who is writing the row: what he made of it may be one more that was not sent yet.
    await session.execute(update(_rows).where(*owed).values(newer_news=False))
    unsent = update(_rows).where(*owed, _rows.c.attempts == 0).values(state="dropped", due_at=None, ended_at=now)
    await session.execute(unsent)


async def next_due(session: AsyncSession) -> datetime | None:
    """When the next try is due."""
    return await session.scalar(select(func.min(_rows.c.due_at)))


async def claim(session: AsyncSession, limits: ClaimLimits, *, now: datetime) -> Sequence[WebhookDelivery]:
    """Take deliveries that are due."""
    chosen = _in_turn(now, limits).limit(limits.total)
    still = (_rows.c.key.in_(chosen), _rows.c.due_at <= now)
    free = select(_rows.c.key).where(*still).with_for_update(skip_locked=True)
    taken = (
        update(WebhookDelivery)
        .where(WebhookDelivery.key.in_(free))
        .values(attempts=WebhookDelivery.attempts + 1, attempted_at=now, due_at=now + limits.lease)
        .returning(WebhookDelivery)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return (await session.scalars(taken)).all()


def _in_turn(now: datetime, limits: ClaimLimits) -> Any:
    """Keys of what is due and not behind an older message about the same subject, fair between accounts."""
    older = _rows.alias("older")
    waits = (
        select(older.c.key)
        .where(
            older.c.subject_id == _rows.c.subject_id,
            older.c.due_at.is_not(None),
            older.c.created_at < _rows.c.created_at,
        )
        .exists()
    )
    turn = func.row_number().over(partition_by=_rows.c.account_id, order_by=(_rows.c.due_at, _rows.c.key))
    if limits.under_way:
        turn += case(limits.under_way, value=_rows.c.account_id, else_=0)
    due = (_rows.c.due_at <= now, ~waits)
    turns = select(_rows.c.key, turn.label("turn"), _rows.c.due_at).where(*due).subquery("turns")
    return select(turns.c.key).where(turns.c.turn <= limits.per_account).order_by(turns.c.turn, turns.c.due_at)


async def write(session: AsyncSession, tried: WebhookDelivery, **values: Any) -> bool:
    """Write how a try ended, or that there is newer news to send.

    ``False`` if the delivery did not end so: it is no longer the caller's but another's, or the newer news is next.
    """
    ours = (_rows.c.key == tried.key, _rows.c.message_id == tried.message_id, _rows.c.attempts == tried.attempts)
    find = select(_rows.c.newer_news).where(*ours, _rows.c.due_at.is_not(None)).with_for_update()
    newer = await session.scalar(find)
    if newer is None:
        return False
    if newer:
        values |= _again(tried)
    await session.execute(update(_rows).where(_rows.c.key == tried.key).values(**values))
    return not newer


def _again(tried: WebhookDelivery) -> dict[str, Any]:
    assert tried.attempted_at, "only what was claimed was tried"  # noqa: S101
    due = tried.attempted_at + PROGRESS_EVERY
    fresh = {"message_id": new_id("msg"), "state": "pending", "due_at": due, "attempts": 0, "ended_at": None}
    return fresh | {"newer_news": False}


async def of(session: AsyncSession, account_id: str, *, limit: int) -> Sequence[WebhookDelivery]:
    """The account's deliveries, newest first."""
    mine = select(WebhookDelivery).where(WebhookDelivery.account_id == account_id)
    return (await session.scalars(mine.order_by(WebhookDelivery.created_at.desc()).limit(limit))).all()


async def forget(session: AsyncSession, *, before: datetime) -> None:
    """Remove what ended before."""
    await session.execute(delete(_rows).where(_rows.c.ended_at < before))
