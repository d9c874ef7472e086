"""The few statements that move a row: claim, move, wake. Each is one guarded update.

A claim gives a lease and raises the row's ``epoch``. Every later write names that epoch, so a worker whose lease has
run out, and whose work another has taken over, changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, bindparam, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.db.base import Utc, table
from mutoscope.generations.models import Generation
from mutoscope.generations.rows import COLUMNS, changed, seen
from mutoscope.generations.states import Outcome, Phase, may_follow, status_in

_rows = table(Generation)
_now, _due, _until = (bindparam(name, type_=Utc) for name in ("moment", "due", "until"))
_free = or_(_rows.c.lease_until.is_(None), _rows.c.lease_until < _now)
_held = and_(_rows.c.id == bindparam("which"), _rows.c.epoch == bindparam("held_epoch"))


def taking(which: ColumnElement[bool], **values: Any) -> Any:
    """The statement that leases the rows which ``which`` selects: a new epoch, and nobody else's until ``:until``."""
    values |= {"lease_until": _until, "epoch": _rows.c.epoch + 1, "heard": _rows.c.wakes}
    taken = update(_rows).where(which).values(**values)
    return taken.returning(*COLUMNS)


# Statements are built once, here: that costs more than sending them. Values named in the parameters are set too.
_CLAIM_DUE = taking(
    _rows.c.id.in_(
        select(_rows.c.id)
        .where(_rows.c.due_at <= _now, _free)
        .order_by(_rows.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )
)
_CLAIM_ONE = taking(and_(_rows.c.id == bindparam("which"), _rows.c.due_at <= _now, _free))
# Whoever runs an engine of its own says which runs are its: a lease may be handed on, and a newer run ends an older.
_HANDED_ON = or_(_free, _rows.c.epoch == bindparam("held_epoch"))
_RESUMABLE = and_(_rows.c.id == bindparam("which"), _rows.c.due_at <= _now, _HANDED_ON)
_HELP = taking(_RESUMABLE)
_RESUME = taking(and_(_RESUMABLE, _rows.c.run <= bindparam("by_run")), run=bindparam("by_run"))
_CALLS = or_(
    _rows.c.phase == Phase.QUEUED, _rows.c.wakes > _rows.c.heard, _rows.c.due_at <= bindparam("lost", type_=Utc)
)
_CLAIM_UNATTENDED = taking(
    _rows.c.id.in_(
        select(_rows.c.id)
        .where(_rows.c.due_at <= _now, _free, _CALLS)
        .order_by(_rows.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )
)
_MOVE = cast(
    "Any",
    update(_rows)
    .where(_held)
    .values(due_at=case((_rows.c.wakes == bindparam("seen_wakes"), _due), else_=_now))
    # What others may have written meanwhile; the rest is the holder's own.
    .returning(_rows.c.due_at, _rows.c.wakes, _rows.c.lease_until, _rows.c.cancel_requested_at, _rows.c.orphans),
)
_STUMBLE = update(_rows).where(_held).values(stumbles=_rows.c.stumbles + 1, due_at=_due, lease_until=None)
_WAKE = update(_rows).where(_rows.c.id == bindparam("which")).values(wakes=_rows.c.wakes + 1, due_at=_now)


class Fenced(Exception):
    """Another worker has taken this generation over; whoever gets this stops without a word."""


async def claim_due(session: AsyncSession, *, now: datetime, lease: timedelta, limit: int) -> Sequence[Generation]:
    """Lease up to ``limit`` due rows that nobody holds, the longest due first. Safe on many machines at once."""
    taken = await session.execute(_CLAIM_DUE, {"moment": now, "until": now + lease, "most": limit})
    return [seen(row) for row in taken.mappings()]


async def claim_one(session: AsyncSession, generation_id: str, *, now: datetime, lease: timedelta) -> Generation | None:
    """Lease one row by its id, if it is due and nobody holds it."""
    values = {"moment": now, "until": now + lease, "which": generation_id}
    row = (await session.execute(_CLAIM_ONE, values)).mappings().one_or_none()
    return None if row is None else seen(row)


async def claim_unattended(
    session: AsyncSession, *, now: datetime, lease: timedelta, lost_after: timedelta, limit: int
) -> Sequence[Generation]:
    """The same, but a row whose due step was announced elsewhere only if it was woken, or overdue for too long."""
    values = {"moment": now, "until": now + lease, "lost": now - lost_after, "most": limit}
    return [seen(row) for row in (await session.execute(_CLAIM_UNATTENDED, values)).mappings()]


async def resume(
    session: AsyncSession, generation_id: str, *, epoch: int, run: int | None, now: datetime, lease: timedelta
) -> Generation | None:
    """Lease a due row that nobody holds, or whose lease is the one that ``epoch`` names, for a run of an engine.

    Args:
        session: The caller's transaction.
        generation_id: Which row.
        epoch: Of the lease that was handed on.
        run: The number of the run, which looks after the row from now on; a row that a newer one has begun with is not
            given to an older. ``None``: of no run, and the row's stays.
        now: The time.
        lease: How long nobody else gets it.
    """
    values: dict[str, Any] = {"which": generation_id, "held_epoch": epoch, "moment": now, "until": now + lease}
    found = await (
        session.execute(_HELP, values) if run is None else session.execute(_RESUME, values | {"by_run": run})
    )
    row = found.mappings().one_or_none()
    return None if row is None else seen(row)


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
    values |= {"phase": phase, "status": status_in(phase, decided), "outcome": decided, "stumbles": 0}  # type: ignore[arg-type]
    goes_on = due is not None and due <= now
    if not goes_on:
        values["lease_until"] = None
    guard = {"which": row.id, "held_epoch": row.epoch, "seen_wakes": row.wakes, "due": due, "moment": now}
    moved = (await session.execute(_MOVE, values | guard)).mappings().one_or_none()
    if moved is None:
        raise Fenced(row.id)
    return changed(row, {**values, **moved})


async def stumble(session: AsyncSession, row: Generation, *, due: datetime) -> None:
    """A step could not be done; give the lease back and try again at ``due``. Nothing, if the row was taken over."""
    await session.execute(_STUMBLE, {"which": row.id, "held_epoch": row.epoch, "due": due})


async def wake(session: AsyncSession, generation_id: str, *, now: datetime, **values: Any) -> None:
    """Make a row due now, also if a step is running on it at this moment."""
    await session.execute(_WAKE, {"which": generation_id, "moment": now, **values})


async def renew(session: AsyncSession, rows: Sequence[Generation], *, until: datetime) -> set[str]:
    """Prolong the leases of rows whose steps still run; returns the ids that nobody has taken over.

    A row that is locked is being written by its step at this moment, and is passed over rather than waited for: whoever
    waits for several rows at once can wait in a circle.
    """
    ours = or_(*(and_(_rows.c.id == row.id, _rows.c.epoch == row.epoch) for row in rows))
    held = select(_rows.c.id).where(ours, _rows.c.lease_until.is_not(None)).with_for_update(skip_locked=True)
    await session.execute(update(_rows).where(_rows.c.id.in_(held)).values(lease_until=until))
    return set((await session.scalars(select(_rows.c.id).where(ours))).all())
