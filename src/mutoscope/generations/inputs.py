"""What is sent to a provider in place of the uploaded files that an input names.

A small file becomes a data URI, a larger one a copy at the provider, and one too large for that a signed link of ours.
A copy is made once for each file and provider, and a copy whose answer was lost is looked for before it is sent again.
So a crash costs at most a copy too many.
"""

import base64
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mutoscope.core.errors import InvalidRequest
from mutoscope.generations.copies import COPY_MARGIN, Claim, Copies
from mutoscope.providers.base import FileCopy, FileToSend, Provider
from mutoscope.replicate_protocol.files import MAX_DATA_URL_BYTES, MAX_UPLOAD_BYTES
from mutoscope.uploads.models import Upload
from mutoscope.uploads.references import named_uploads, with_uploads
from mutoscope.uploads.service import Uploads

# An input of a megabyte could name files thirty thousand times.
MAX_NAMED = 256
# What the data URIs of an input may have in all: each place that names a small file gets its own.
MAX_INLINE_BYTES = 8 * 1024 * 1024


class TooManyFiles(InvalidRequest):
    """An input names files in more places, or with more bytes, than can be sent with it."""

    code, title = "too_many_files", "The input names too many files"


class FileUnreachable(InvalidRequest):
    """The file is too large to be given to the provider, and there is no public link to it."""

    code, title = "file_unreachable", "The provider could not get at the file"


@dataclass(frozen=True, slots=True)
class InputFiles:
    """Turns names of uploads into what a provider can read.

    Attributes:
        uploads: The files.
        copies: Where copies of them are remembered.
        public_links: Whether the links of our store can be read from outside.
    """

    uploads: Uploads
    copies: Copies
    public_links: bool

    async def check(self, account_id: str, value: Mapping[str, Any], *, until: datetime) -> None:
        """Accept an input, and keep its files until then.

        Raises:
            TooManyFiles: It names files too often, or what it names is too large to be sent within it.
            UnknownFile: It names a file that this account does not have.
            FileUnreachable: It names a file that no provider could get from here.
        """
        if not (named := named_uploads(value)):
            return
        if named.total() > MAX_NAMED:
            raise TooManyFiles(f"The input names files in {named.total()} places; {MAX_NAMED} are allowed.")
        files = await self.uploads.require(account_id, list(named), until=until)
        _check_inline(files, named)
        for upload in files:
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
        if not (named := named_uploads(value)):
            return value
        until = self.uploads.clock.now() + timedelta(seconds=run_s)
        files = await self.uploads.require(account_id, list(named), until=until)
        links = {one.id: await self._link(one, provider, run_s) for one in files}
        sent: dict[str, Any] = with_uploads(value, links)
        return sent

    async def _link(self, upload: Upload, provider: Provider, run_s: float) -> str:
        if _is_inline(upload):
            data = b"".join([chunk async for chunk in self.uploads.store.read(upload.key)])
            return f"data:{upload.media_type};base64,{base64.b64encode(data).decode()}"
        if upload.size_bytes <= MAX_UPLOAD_BYTES:
            return (await self._copy(upload, provider)).url
        return await self.uploads.link(upload, expires_s=int(run_s + COPY_MARGIN.total_seconds()))

    async def _copy(self, upload: Upload, provider: Provider) -> FileCopy:
        claim = await self.copies.claim(upload.id, provider.name)
        if isinstance(claim, FileCopy):
            return claim
        try:
            # A claim that somebody held before us may have led to a copy that nobody wrote down.
            found = None if claim.is_first else await provider.find_file(upload.id)
            copy = found if found and self.copies.lasts(found) else await self._send(upload, provider, claim)
        except BaseException:
            await self.copies.release(claim)
            raise
        await self.copies.keep(claim, copy)
        return copy

    async def _send(self, upload: Upload, provider: Provider, claim: Claim) -> FileCopy:
        chunks = self._claimed(upload, claim)
        name = f"{upload.id}.{upload.key.rpartition('.')[2]}"
        copy = await provider.send_file(FileToSend(upload.id, name, upload.media_type, upload.size_bytes, chunks))
        self.copies.kill.reach("send_file.after_call")
        return copy

    async def _claimed(self, upload: Upload, claim: Claim) -> AsyncGenerator[bytes]:
        """The file's bytes; while they flow, the claim on it goes on."""
        async for chunk in self.uploads.store.read(upload.key):
            yield chunk
            await self.copies.renew(claim)


def _is_inline(upload: Upload) -> bool:
    return upload.size_bytes <= MAX_DATA_URL_BYTES


def _check_inline(files: Sequence[Upload], named: Counter[str]) -> None:
    """Raises ``TooManyFiles`` if the data URIs would be too large together; Base64 makes four bytes of three."""
    size_bytes = sum(named[one.id] * ((one.size_bytes + 2) // 3 * 4) for one in files if _is_inline(one))
    if size_bytes > MAX_INLINE_BYTES:
        raise TooManyFiles(
            f"The small files that the input names would be {size_bytes} bytes as data URIs; {MAX_INLINE_BYTES} are "
            "allowed. Name fewer, or each of them less often."
        )
