"""Keep an account's input files: streamed in, counted, hashed, looked at; listed, linked, deleted; gone when expired.

The row comes before the bytes and goes after them, so a crash anywhere leaves at most a row that the chore removes
together with whatever bytes there are.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, insert, literal, select, update

from mutoscope.core.clock import Clock
from mutoscope.core.errors import InvalidRequest, MutoscopeError, NotFound
from mutoscope.core.ids import new_id
from mutoscope.core.settings import UploadSettings
from mutoscope.db.base import Utc, table
from mutoscope.db.engine import Database
from mutoscope.storage.base import ObjectStore
from mutoscope.storage.intake import Body
from mutoscope.storage.sniff import sniff
from mutoscope.uploads import removal
from mutoscope.uploads.limits import Places, timely
from mutoscope.uploads.models import Upload

# A hundred, and one more to know whether there is a next page.
MAX_PAGE = 101
# A row that is not finished by then is of a process that died: this is longer than ``uploads.max_s`` can be.
WRITING_LIFE = timedelta(days=1)
_uploads = table(Upload)


class FileTooLarge(MutoscopeError):
    """The file is above the limit."""

    status, code, title = 413, "file_too_large", "The file is too large"


class UploadsFull(InvalidRequest):
    """The account keeps as much as it may."""

    code, title = "uploads_full", "Too many files are kept"


class UnknownFile(InvalidRequest):
    """An input names a file that this account does not have."""

    code, title = "unknown_file", "The input names a file that is not there"


@dataclass(frozen=True, slots=True)
class Description:
    """What the uploader says of a file: a name, and notes that are given back."""

    name: str = "file"
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Uploads:
    """The service behind the file routes of both APIs."""

    database: Database
    clock: Clock
    store: ObjectStore
    settings: UploadSettings
    places: Places = field(default_factory=Places)

    async def create(
        self, account_id: str, chunks: AsyncIterator[bytes], describe: Callable[[], Awaitable[Description]]
    ) -> Upload:
        """Keep a file.

        Args:
            account_id: Whose it is.
            chunks: Its bytes; what they raise passes through, and nothing is kept.
            describe: Asked once all bytes have come, because a form may say what a file is after the file.

        Raises:
            InvalidRequest: The file is empty.
            FileTooLarge: It is larger than ``settings.max_bytes``.
            UploadsFull: The account keeps as many files, or bytes, as it may.
            TooManyUploads: The account, or everybody together, uploads as many files as may be.
            UploadTooSlow: The bytes stopped coming, or were not all there in time.
            StorageError: The store failed.
        """
        with self.places.one(account_id, self.settings):
            await self._check_room(account_id)
            in_time = timely(chunks, self.settings)
            return await self._keep(account_id, _limited(in_time, self.settings.max_bytes), describe)

    async def _keep(
        self, account_id: str, chunks: AsyncIterator[bytes], describe: Callable[[], Awaitable[Description]]
    ) -> Upload:
        body = await Body.begin(chunks, self.settings.max_bytes)
        if not body.head:
            raise InvalidRequest("The file is empty.")
        media_type, extension = sniff(body.head)
        row = self._row(account_id, media_type, extension)
        await self._begin(row)
        try:
            await self.store.put(row["key"], body, media_type=media_type)
            return await self._finish(row["id"], body, await describe())
        except BaseException:
            await removal.give_up(self.database, row, now=self.clock.now())
            raise

    async def get(self, account_id: str, upload_id: str) -> Upload:
        """One file of this account. Raises ``NotFound``, also for somebody else's."""
        async with self.database.read() as session:
            found = (
                await session.scalars(select(Upload).where(self._there(account_id), Upload.id == upload_id))
            ).first()
        if found is None:
            raise NotFound(f"There is no file {upload_id[:64]!r} in this account.")
        return found

    async def page(self, account_id: str, *, limit: int, before: str | None = None) -> Sequence[Upload]:
        """The account's files, newest first, from the one after ``before`` on; at most ``MAX_PAGE``."""
        query = select(Upload).where(self._there(account_id))
        if before:
            query = query.where(Upload.id < before)
        async with self.database.read() as session:
            return (await session.scalars(query.order_by(Upload.id.desc()).limit(min(limit, MAX_PAGE)))).all()

    async def delete(self, account_id: str, upload_id: str) -> None:
        """Remove a file. A generation that still waits to send it will fail. Raises ``NotFound``."""
        upload = await self.get(account_id, upload_id)
        await removal.leave(self.database, _uploads.c.id == upload.id, now=self.clock.now())
        await removal.remove(self.database, self.store, upload.id, upload.key)

    async def require(self, account_id: str, upload_ids: Sequence[str], *, until: datetime) -> Sequence[Upload]:
        """The files of these ids, kept at least until then.

        Raises:
            UnknownFile: One of them is not there, or not this account's.
        """
        longer = case((Upload.expires_at < until, literal(until, Utc)), else_=Upload.expires_at)
        query = (
            update(Upload)
            .where(self._there(account_id), Upload.id.in_(upload_ids))
            .values(expires_at=longer)
            .returning(Upload)
            .execution_options(synchronize_session=False)
        )
        async with self.database.write() as session:
            found = (await session.scalars(query)).all()
            if missing := set(upload_ids) - {one.id for one in found}:
                raise UnknownFile(f"There is no file {min(missing)} in this account; upload it again.")
        return found

    async def link(self, upload: Upload, *, expires_s: int) -> str:
        """A URL under which anyone may read the file for ``expires_s`` seconds."""
        return await self.store.link(upload.key, expires_s=expires_s, media_type=upload.media_type)

    async def remove_old(self) -> None:
        """Remove some of what has expired or was never finished. May run anywhere, any number of times."""
        await removal.remove_old(self.database, self.store, self.clock)

    def _there(self, account_id: str) -> Any:
        return and_(Upload.account_id == account_id, Upload.state == "ready", Upload.expires_at > self.clock.now())

    async def _check_room(self, account_id: str) -> None:
        size_bytes = func.coalesce(func.sum(Upload.size_bytes), 0)
        async with self.database.read() as session:
            kept = (await session.execute(select(func.count(), size_bytes).where(self._there(account_id)))).one()
        count, used = int(kept[0]), int(kept[1])
        if count >= (most := self.settings.max_account_files):
            raise UploadsFull(f"This account keeps {count} files; {most} are allowed. Delete some.")
        if used >= (most := self.settings.max_account_bytes):
            raise UploadsFull(f"This account keeps {used} bytes of files; {most} are allowed. Delete some.")

    def _row(self, account_id: str, media_type: str, extension: str) -> dict[str, Any]:
        upload_id, now = new_id("file"), self.clock.now()
        key = f"{self.settings.prefix}/{account_id}/{upload_id}.{extension}"
        values = {"id": upload_id, "account_id": account_id, "state": "writing", "name": "file", "key": key}
        values |= {"size_bytes": 0, "media_type": media_type, "metadata": {}, "created_at": now}
        return {**values, "expires_at": now + WRITING_LIFE}

    async def _begin(self, row: dict[str, Any]) -> None:
        async with self.database.write() as session:
            await session.execute(insert(_uploads).values(**row))

    async def _finish(self, upload_id: str, body: Body, about: Description) -> Upload:
        finished = (
            update(Upload)
            .where(Upload.id == upload_id, Upload.state == "writing")
            .values(
                state="ready",
                name=about.name,
                metadata_=about.metadata,
                size_bytes=body.size_bytes,
                sha256=body.sha256,
                expires_at=self.clock.now() + timedelta(seconds=self.settings.keep_s),
            )
            .returning(Upload)
        )
        async with self.database.write() as session:
            row = (await session.scalars(finished)).one_or_none()
        if row is None:
            raise NotFound("The file took too long to come and was given up.")
        return row


async def _limited(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    got = 0
    async for chunk in chunks:
        got += len(chunk)
        if got > max_bytes:
            raise FileTooLarge(f"A file may have at most {max_bytes} bytes.", limit_bytes=max_bytes)
        yield chunk
