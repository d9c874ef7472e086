"""What is sent to a provider in place of the uploaded files that an input names.

A small file becomes a data URI, a larger one a copy at the provider, and one too large for that a signed link of ours.
A copy is made once for each file and provider: the claim on it is committed before the call, its URL after it, and a
copy whose answer was lost is looked for before it is sent again. So a crash costs at most a copy too many.
"""

import base64
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from mutoscope.core.clock import Clock
from mutoscope.core.errors import InvalidRequest, MutoscopeError
from mutoscope.core.killpoints import KillPoints
from mutoscope.db.base import table
from mutoscope.db.engine import Database
from mutoscope.db.upsert import upsert
from mutoscope.providers.base import FileCopy, FileToSend, Provider
from mutoscope.replicate_protocol.files import MAX_DATA_URL_BYTES, MAX_UPLOAD_BYTES
from mutoscope.uploads.models import ProviderFile, Upload
from mutoscope.uploads.references import named_uploads, with_uploads
from mutoscope.uploads.service import Uploads

# A copy must be good for at least this long when it is used, so that a cold start does not outlast it.
COPY_MARGIN = timedelta(minutes=15)
_copies = table(ProviderFile)


class FileUnreachable(InvalidRequest):
    """The file is too large to be given to the provider, and there is no public link to it."""

    code, title = "file_unreachable", "The provider could not get at the file"


class FileBusy(MutoscopeError):
    """Another generation is sending the same file at this moment."""

    status, code, title, retryable = 503, "file_busy", "The file is being sent", True


@dataclass(frozen=True, slots=True)
class InputFiles:
    """Turns names of uploads into what a provider can read.

    Attributes:
        uploads: The files.
        database: Where copies are remembered.
        clock: The time.
        kill: Where tests kill the process.
        public_links: Whether the links of our store can be read from outside.
        claim_life: How long the right to send a file outlives a process that has died.
    """

    uploads: Uploads
    database: Database
    clock: Clock
    kill: KillPoints
    public_links: bool
    claim_life: timedelta = timedelta(seconds=30)

    async def check(self, account_id: str, value: Mapping[str, Any], *, until: datetime) -> None:
        """Accept an input, and keep its files until then.

        Raises:
            UnknownFile: It names a file that this account does not have.
            FileUnreachable: It names a file that no provider could get from here.
        """
        if not (ids := named_uploads(value)):
            return
        for upload in await self.uploads.require(account_id, ids, until=until):
            if upload.size_bytes > MAX_UPLOAD_BYTES and not self.public_links:
                raise FileUnreachable(
                    f"{upload.id} has {upload.size_bytes} bytes. A provider takes at most {MAX_UPLOAD_BYTES}; for more "
                    "it needs a link, and this service has no public address (MUTOSCOPE_PUBLIC_URL)."
                )

    async def to_send(
        self, account_id: str, value: Mapping[str, Any], provider: Provider, *, run_s: float
    ) -> Mapping[str, Any]:
        """The input as the provider gets it; itself, if it names no uploads.

        Args:
            account_id: Whose generation it is.
            value: The input as its user wrote it.
            provider: To whom it goes.
            run_s: How long the provider may need the files.

        Raises:
            UnknownFile: A file is not there any more.
            FileBusy: Try again in a moment.
            StorageError, ProviderError: As the store and ``Provider.send_file`` raise.
        """
        if not (ids := named_uploads(value)):
            return value
        now = self.clock.now()
        files = await self.uploads.require(account_id, ids, until=now + timedelta(seconds=run_s))
        links = {one.id: await self._link(one, provider, run_s) for one in files}
        sent: dict[str, Any] = with_uploads(value, links)
        return sent

    async def _link(self, upload: Upload, provider: Provider, run_s: float) -> str:
        if upload.size_bytes <= MAX_DATA_URL_BYTES:
            data = b"".join([chunk async for chunk in self.uploads.store.read(upload.key)])
            return f"data:{upload.media_type};base64,{base64.b64encode(data).decode()}"
        if upload.size_bytes <= MAX_UPLOAD_BYTES:
            return await self._copy(upload, provider)
        return await self.uploads.link(upload, expires_s=int(run_s + COPY_MARGIN.total_seconds()))

    async def _copy(self, upload: Upload, provider: Provider) -> str:
        url, is_first = await self._claim(upload, provider.name)
        if url:
            return url
        try:
            # A claim that somebody held before us may have led to a copy that nobody wrote down.
            found = None if is_first else await provider.find_file(upload.id)
            copy = found or await self._send(upload, provider)
        except BaseException:
            await self._write(upload.id, provider.name, claimed_until=self.clock.now())
            raise
        await self._keep(upload.id, provider.name, copy)
        return copy.url

    async def _send(self, upload: Upload, provider: Provider) -> FileCopy:
        chunks = self._claimed(upload, provider.name)
        name = f"{upload.id}.{upload.key.rpartition('.')[2]}"
        copy = await provider.send_file(FileToSend(upload.id, name, upload.media_type, upload.size_bytes, chunks))
        self.kill.reach("send_file.after_call")
        return copy

    async def _claim(self, upload: Upload, provider: str) -> tuple[str | None, bool]:
        """The copy's URL if there is one; else the right to make it, and whether nobody had that right before."""
        now = self.clock.now()
        until = now + self.claim_life
        mine = (_copies.c.upload_id == upload.id, _copies.c.provider == provider)
        async with self.database.write() as session:
            new = upsert(session, _copies).values(upload_id=upload.id, provider=provider, claimed_until=until)
            is_first = (
                await session.execute(new.on_conflict_do_nothing().returning(_copies.c.upload_id))
            ).first() is not None
            row = (await session.execute(select(_copies).where(*mine).with_for_update())).one()
            if row.url and row.expires_at > now + COPY_MARGIN:
                return row.url, is_first
            if not is_first and row.claimed_until > now:
                raise FileBusy(f"{upload.id} is being sent to {provider} at this moment.")
            await session.execute(update(_copies).where(*mine).values(claimed_until=until, url=None, expires_at=None))
            self.kill.reach("file_claim.before_commit")
        self.kill.reach("file_claim.after_commit")
        return None, is_first or bool(row.url)

    async def _claimed(self, upload: Upload, provider: str) -> AsyncGenerator[bytes]:
        """The file's bytes; while they flow, the claim on it goes on."""
        renew_at = self.clock.now() + self.claim_life / 3
        async for chunk in self.uploads.store.read(upload.key):
            yield chunk
            if (now := self.clock.now()) >= renew_at:
                await self._write(upload.id, provider, claimed_until=now + self.claim_life)
                renew_at = now + self.claim_life / 3

    async def _keep(self, upload_id: str, provider: str, copy: FileCopy) -> None:
        await self._write(upload_id, provider, url=copy.url, expires_at=copy.expires_at, claimed_until=self.clock.now())

    async def _write(self, upload_id: str, provider: str, **values: Any) -> None:
        which = (_copies.c.upload_id == upload_id, _copies.c.provider == provider)
        async with self.database.write() as session:
            await session.execute(update(_copies).where(*which).values(**values))
