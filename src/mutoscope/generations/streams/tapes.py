"""What has been streamed so far, in the database: one tape a generation, in pieces, written by one owner at a time.

An owner holds the tape for some seconds and with every piece for some more; when its process dies, another takes over
from the provider's last event that was written down with its text. A new attempt starts the tape anew.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.db.base import table
from mutoscope.db.upsert import upsert
from mutoscope.generations.models import Generation, StreamPiece, StreamTape
from mutoscope.generations.streams.positions import Position

MAX_CHARS = 1024 * 1024
"""What is kept of one stream; whatever comes after it is shown when the output is there."""

LIFE = timedelta(seconds=10)
"""How long a tape outlives the process that owns it, before another may take it."""

PIECES_AT_ONCE = 64
_tapes, _pieces, _rows = table(StreamTape), table(StreamPiece), table(Generation)


class TapeLost(Exception):
    """Somebody else owns the tape now; whoever gets this stops without a word."""


async def look(session: AsyncSession, generation_id: str) -> StreamTape | None:
    """The tape as it is, if there is one."""
    return await session.get(StreamTape, generation_id, populate_existing=True)


async def take(session: AsyncSession, row: Generation, owner: str, *, now: datetime) -> StreamTape | None:
    """Own the tape of the row's attempt; ``None`` if somebody else does, or if it has all that there will be."""
    blank = {"attempt": row.attempt, "chars": 0, "ended": False, "last_event_id": None}
    held = {"owner": owner, "owned_until": now + LIFE, "touched_at": now}
    new = upsert(session, _tapes).values(generation_id=row.id, **blank, **held)
    await session.execute(new.on_conflict_do_nothing())
    this = _tapes.c.generation_id == row.id
    older = and_(this, _tapes.c.attempt < row.attempt)
    if (await session.execute(update(_tapes).where(older).values(**blank, **held))).rowcount:  # type: ignore[attr-defined]
        await session.execute(delete(_pieces).where(_pieces.c.generation_id == row.id))
    free = or_(_tapes.c.owner.is_(None), _tapes.c.owner == owner, _tapes.c.owned_until < now)
    mine = and_(this, _tapes.c.attempt == row.attempt, _tapes.c.ended.is_(False), free)
    taken = update(StreamTape).where(mine).values(**held).returning(StreamTape)
    return (await session.scalars(taken.execution_options(populate_existing=True))).one_or_none()


async def append(
    session: AsyncSession, tape: StreamTape, text: str, *, last_event_id: str | None, ended: bool, now: datetime
) -> StreamTape:
    """Add text to a tape that is owned, and own it for another while; once it has ended nobody does.

    Raises:
        TapeLost: It is owned by somebody else.
    """
    start = tape.chars  # now: what is returned below may be the same object, grown
    ours = (_tapes.c.generation_id == tape.generation_id, _tapes.c.owner == tape.owner)
    ours = (*ours, _tapes.c.attempt == tape.attempt, _tapes.c.chars == start, _tapes.c.ended.is_(False))
    values: dict[str, Any] = {"chars": start + len(text), "ended": ended, "owned_until": now + LIFE}
    values |= {"last_event_id": last_event_id, "owner": None if ended else tape.owner, "touched_at": now}
    written = update(StreamTape).where(*ours).values(**values).returning(StreamTape)
    found = (await session.scalars(written.execution_options(populate_existing=True))).one_or_none()
    if found is None:
        raise TapeLost(tape.generation_id)
    if text:
        piece = {"generation_id": tape.generation_id, "attempt": tape.attempt, "start": start, "text": text}
        await session.execute(insert(_pieces).values(**piece))
    return found


async def release(session: AsyncSession, generation_id: str, owner: str) -> None:
    """Own it no more."""
    mine = (_tapes.c.generation_id == generation_id, _tapes.c.owner == owner)
    await session.execute(update(_tapes).where(*mine).values(owner=None))


async def end(session: AsyncSession, generation_id: str, owner: str) -> None:
    """Say that the tape has all that it will have, if ``owner`` owns it."""
    mine = (_tapes.c.generation_id == generation_id, _tapes.c.owner == owner)
    await session.execute(update(_tapes).where(*mine).values(ended=True))


async def read(session: AsyncSession, generation_id: str, at: Position) -> str:
    """The text after a position, as much of it as is read at once; empty if there is none yet."""
    # The piece that a position is in begins before it.
    first = (
        select(_pieces.c.start)
        .where(_pieces.c.generation_id == generation_id, _pieces.c.attempt == at.attempt, _pieces.c.start <= at.chars)
        .order_by(_pieces.c.start.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(_pieces.c.start, _pieces.c.text)
        .where(_pieces.c.generation_id == generation_id, _pieces.c.attempt == at.attempt, _pieces.c.start >= first)
        .order_by(_pieces.c.start)
        .limit(PIECES_AT_ONCE)
    )
    found = (await session.execute(query)).all()
    return "".join(piece.text for piece in found)[at.chars - found[0].start :] if found else ""


async def forget(session: AsyncSession, *, before: datetime, limit: int) -> int:
    """Remove tapes that nobody has touched since then and whose generations have ended; how many there were."""
    old = (
        select(_tapes.c.generation_id)
        .join(_rows, _rows.c.id == _tapes.c.generation_id)
        .where(_tapes.c.touched_at < before, _rows.c.phase == "done")
        .limit(limit)
    )
    ids = (await session.scalars(old)).all()
    await session.execute(delete(_pieces).where(_pieces.c.generation_id.in_(ids)))
    await session.execute(delete(_tapes).where(_tapes.c.generation_id.in_(ids)))
    return len(ids)
