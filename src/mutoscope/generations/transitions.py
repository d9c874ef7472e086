"""The few statements that move a row: claim, move, wake. Each is one guarded update.

A claim gives a lease and raises the row's ``epoch``. Every later write names that epoch, so a worker whose lease has
run out, and whose work another has taken over, changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Update, and_, case, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.db.base import Utc, table
from mutoscope.generations.models import Generation
from mutoscope.generations.states import Outcome, Phase, may_follow, status_in

_rows = table(Generation)


class Fenced(Exception):
    """Another worker has taken this generation over; whoever gets this stops without a word."""


async def claim_due(session: AsyncSession, *, now: datetime, lease: timedelta, limit: int) -> Sequence[Generation]:
    """Lease up to ``limit`` due rows that nobody holds, the longest due first. Safe on many machines at once."""
    due = (
        select(_rows.c.id)
        .where(_rows.c.due_at <= now, or_(_rows.c.lease_until.is_(None), _rows.c.lease_until < now))
        .order_by(_rows.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return await take(session, Generation.id.in_(due), until=now + lease)


async def claim_one(session: AsyncSession, generation_id: str, *, now: datetime, lease: timedelta) -> Generation | None:
    """Lease one row by its id, if it is due and nobody holds it."""
    free = or_(Generation.lease_until.is_(None), Generation.lease_until < now)
    taken = await take(session, and_(Generation.id == generation_id, Generation.due_at <= now, free), until=now + lease)
    return taken[0] if taken else None


async def take(session: AsyncSession, which: Any, *, until: datetime, **values: Any) -> Sequence[Generation]:
    """Lease the rows that ``which`` selects: a new epoch, and nobody else's until ``until``."""
    taken = update(Generation).where(which).values(lease_until=until, epoch=Generation.epoch + 1, **values)
    return (await session.scalars(_returning(taken))).all()


async def move(
    session: AsyncSession,
    row: Generation,
    phase: Phase,
    *,
    now: datetime,
    due: datetime | None,
    outcome: Outcome | None = None,
    **values: Any,
) -> Generation:
    """Write the row's next phase, and give the lease back unless it goes on at once.

    A hint that came while the step ran (``wakes`` has grown) makes the row due now, whatever the step wished.

    Raises:
        Fenced: The row has been taken over.
    """
    before = Phase(row.phase)
    if not may_follow(before, phase):
        raise ValueError(f"a generation cannot go from {before} to {phase}")
    decided = outcome or row.outcome
    goes_on = due is not None and due <= now
    when = case((Generation.wakes == row.wakes, literal(due, Utc)), else_=literal(now, Utc))
    written = (
        update(Generation)
        .where(Generation.id == row.id, Generation.epoch == row.epoch)
        .values(
            phase=phase,
            status=status_in(phase, decided),  # type: ignore[arg-type]
            outcome=decided,
            due_at=when,
            lease_until=Generation.lease_until if goes_on else None,
            stumbles=0,
            **values,
        )
    )
    moved = (await session.scalars(_returning(written))).one_or_none()
    if moved is None:
        raise Fenced(row.id)
    return moved


async def stumble(session: AsyncSession, row: Generation, *, due: datetime) -> None:
    """A step could not be done; give the lease back and try again at ``due``. Nothing, if the row was taken over."""
    await session.execute(
        update(_rows)
        .where(_rows.c.id == row.id, _rows.c.epoch == row.epoch)
        .values(stumbles=_rows.c.stumbles + 1, due_at=due, lease_until=None)
    )


async def wake(session: AsyncSession, generation_id: str, *, now: datetime, **values: Any) -> None:
    """Make a row due now, also if a step is running on it at this moment."""
    await session.execute(
        update(_rows).where(_rows.c.id == generation_id).values(wakes=_rows.c.wakes + 1, due_at=now, **values)
    )


async def renew(session: AsyncSession, rows: Sequence[Generation], *, until: datetime) -> set[str]:
    """Prolong the leases of rows whose steps still run; returns the ids that nobody has taken over.

    A row that is locked is being written by its step at this moment, and is passed over rather than waited for: whoever
    waits for several rows at once can wait in a circle.
    """
    ours = or_(*(and_(_rows.c.id == row.id, _rows.c.epoch == row.epoch) for row in rows))
    held = select(_rows.c.id).where(ours, _rows.c.lease_until.is_not(None)).with_for_update(skip_locked=True)
    await session.execute(update(_rows).where(_rows.c.id.in_(held)).values(lease_until=until))
    return set((await session.scalars(select(_rows.c.id).where(ours))).all())


def _returning(statement: Update) -> Any:
    return statement.returning(Generation).execution_options(synchronize_session=False, populate_existing=True)
