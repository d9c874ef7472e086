"""How files go: first they are there for nobody, then their bytes are deleted, then the row. Each may run twice."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, select, update

from mutoscope.core.clock import Clock
from mutoscope.core.errors import MutoscopeError
from mutoscope.db.base import table
from mutoscope.db.engine import Database
from mutoscope.db.upsert import upsert
from mutoscope.storage.base import ObjectStore
from mutoscope.uploads.models import Upload

log = logging.getLogger(__name__)

# One sweep takes no more, so that other chores have their turn; the next one goes on.
SWEPT_AT_ONCE = 500
# A store that has failed so often is down, and is not asked for the rest.
MAX_FAILURES = 5
# When the removal of a file is tried again that a crash or the store has cut off.
AGAIN_AFTER = timedelta(minutes=10)
_uploads = table(Upload)


async def leave(database: Database, which: Any, *, now: datetime) -> None:
    """From here on the files are there for nobody. Whoever calls removes them; if not, the chore does, later."""
    async with database.write() as session:
        await session.execute(
            update(_uploads).where(which).values(state="leaving", expires_at=now + AGAIN_AFTER),
        )


async def give_up(database: Database, row: Mapping[str, Any], *, now: datetime) -> None:
    """An upload has failed: the chore is to remove its bytes, whatever became of its row."""
    left = {"state": "leaving", "expires_at": now}
    async with database.write() as session:
        written = upsert(session, _uploads).values(**{**row, **left})
        await session.execute(written.on_conflict_do_update(index_elements=[_uploads.c.id], set_=left))


async def remove(database: Database, store: ObjectStore, upload_id: str, key: str) -> None:
    """Delete the bytes and then the row of a file that is leaving; nothing, if its life was prolonged meanwhile."""
    gone = and_(_uploads.c.id == upload_id, _uploads.c.state == "leaving")
    async with database.read() as session:
        if await session.scalar(select(_uploads.c.id).where(gone)) is None:
            return
    await store.delete(key)
    async with database.write() as session:
        await session.execute(delete(_uploads).where(gone))


async def remove_old(database: Database, store: ObjectStore, clock: Clock) -> None:
    """Remove what has expired, what was never finished, and what a crash left half removed: the oldest, so many.

    What the store refuses is put off before it is tried, so that it keeps nothing else waiting.
    """
    now, failures = clock.now(), 0
    over = _uploads.c.expires_at <= now
    query = select(_uploads.c.id, _uploads.c.key).where(over).order_by(_uploads.c.expires_at).limit(SWEPT_AT_ONCE)
    async with database.read() as session:
        rows = (await session.execute(query)).all()
    for row in rows:
        await leave(database, and_(_uploads.c.id == row.id, over), now=now)
        try:
            await remove(database, store, row.id, row.key)
        except MutoscopeError as error:
            log.warning("the file %s could not be removed: %s", row.id, error.detail)
            failures += 1
        if failures == MAX_FAILURES:
            return
