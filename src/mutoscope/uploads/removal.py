"""How files go: first they are there for nobody, then their bytes are deleted, then the row. Each may run twice."""

from typing import Any

from sqlalchemy import and_, delete, or_, select, update

from mutoscope.core.clock import Clock
from mutoscope.db.base import table
from mutoscope.db.engine import Database
from mutoscope.storage.base import ObjectStore
from mutoscope.uploads.models import Upload

SWEPT_AT_ONCE = 100
_uploads = table(Upload)


async def leave(database: Database, which: Any) -> None:
    """From here on the files are there for nobody."""
    async with database.write() as session:
        await session.execute(update(_uploads).where(which).values(state="leaving"))


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
    """Remove what has expired, what was never finished, and what a crash left half removed."""
    while True:
        over = or_(_uploads.c.expires_at <= clock.now(), _uploads.c.state == "leaving")
        async with database.read() as session:
            query = select(_uploads.c.id, _uploads.c.key).where(over).limit(SWEPT_AT_ONCE)
            rows = (await session.execute(query)).all()
        for row in rows:
            await leave(database, and_(_uploads.c.id == row.id, over))
            await remove(database, store, row.id, row.key)
        if len(rows) < SWEPT_AT_ONCE:
            return
