"""Files in an S3 bucket, or in whatever speaks S3, through obstore.

Keys are written once. A small file goes there in one conditional PUT. A conditional PUT holds its whole file in memory,
so a large one is uploaded in parts under a hidden name first, and then copied within the bucket to its key, by whoever
has claimed that key.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError

from mutoscope.core.errors import InvalidRequest
from mutoscope.core.ids import new_id
from mutoscope.storage.base import ObjectExists, ObjectMissing, StoredObject
from mutoscope.storage.chunks import coalesced
from mutoscope.storage.claims import CLAIM_LIFE_S, claimed
from mutoscope.storage.keys import checked
from mutoscope.storage.probe import prove
from mutoscope.storage.s3 import S3Settings, s3_client, translated
from mutoscope.storage.sniff import is_shown
from mutoscope.storage.upload import PART_BYTES, run_to_the_end, upload

MAX_LINK_S = 7 * 24 * 3600
"""What AWS signature version 4 allows for a presigned URL."""
_BLOCK_BYTES = 1024 * 1024
_STAGING = ".staging"
_STAGING_LIFE = timedelta(days=1)


class ObstoreStore:
    """An ``ObjectStore`` in an S3 bucket, for files of up to 5 GiB (the limit of one copy in S3).

    A process killed in the middle of a large upload leaves parts in the bucket that only a lifecycle rule removes
    (``AbortIncompleteMultipartUpload``), or a file under ``.staging/``, which ``check`` removes after a day.

    Args:
        settings: The bucket.
        max_transfers: How many uploads may hold memory at once, each up to 32 MiB; further ones wait.

    Raises:
        ConfigurationError: The settings contradict themselves.
    """

    def __init__(self, settings: S3Settings, *, max_transfers: int = 4) -> None:
        self._settings = settings
        self._store = s3_client(settings)
        self._transfers = asyncio.Semaphore(max_transfers)

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, media_type: str) -> None:
        """See ``ObjectStore.put``."""
        checked(key)
        async with self._transfers:
            start = bytearray()
            async for chunk in chunks:
                start += chunk
                if len(start) > PART_BYTES:
                    await self._put_large(key, _joined(start, chunks), media_type)
                    return
            with translated(key):
                await obstore.put_async(self._store, key, start, mode="create", attributes=_attributes(media_type))

    async def head(self, key: str) -> StoredObject:
        """See ``ObjectStore.head``."""
        with translated(key, absent=ObjectMissing):
            found = await obstore.get_async(self._store, checked(key), options={"head": True})
        media_type, modified_at = found.attributes.get("Content-Type"), found.meta["last_modified"]
        return StoredObject(key=key, size_bytes=found.meta["size"], media_type=media_type, modified_at=modified_at)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """See ``ObjectStore.read``."""
        with translated(key, absent=ObjectMissing):
            found = await obstore.get_async(self._store, checked(key))
            stream = found.stream(min_chunk_size=_BLOCK_BYTES)
        while True:
            with translated(key):
                try:
                    block = await anext(stream)
                except StopAsyncIteration:
                    return
            yield bytes(block)

    async def delete(self, key: str) -> None:
        """See ``ObjectStore.delete``."""
        with translated(key):
            await self._remove(checked(key))

    async def link(self, key: str, *, expires_s: int, media_type: str) -> str:
        """See ``ObjectStore.link``. The type is the one given at ``put``: obstore cannot sign another one into it.

        Raises:
            InvalidRequest: ``expires_s`` is more than seven days.
        """
        checked(key)
        if self._settings.public_base_url is not None:
            return f"{self._settings.public_base_url.rstrip('/')}/{quote(key)}"
        if not 0 < expires_s <= MAX_LINK_S:
            raise InvalidRequest(f"A link to S3 may be good for 1 to {MAX_LINK_S} seconds, not {expires_s}.")
        with translated(key):
            return await obstore.sign_async(self._store, "GET", key, timedelta(seconds=expires_s))

    async def check(self) -> None:
        """See ``ObjectStore.check``. Also removes what a killed process left in ``.staging/`` more than a day ago."""
        await prove(self)
        with translated(_STAGING):
            staged = await obstore.list_with_delimiter_async(self._store, prefix=_STAGING)  # pyright: ignore[reportUnknownMemberType]
            oldest = datetime.now(UTC) - _STAGING_LIFE
            for one in staged["objects"]:
                if one["last_modified"] < oldest:
                    await self._remove(one["path"])

    async def aclose(self) -> None:
        """Nothing to do: obstore closes its connections when they have been idle."""

    async def _put_large(self, key: str, blocks: AsyncIterator[bytes | bytearray], media_type: str) -> None:
        await self._must_be_free(key)
        staged = f"{_STAGING}/{new_id('upload')}"
        await upload(self._store, staged, blocks, attributes=_attributes(media_type))
        await run_to_the_end(self._publish(staged, key))

    async def _publish(self, staged: str, key: str) -> None:
        try:
            with translated(key):
                async with claimed(self._store, _STAGING, key):
                    await self._must_be_free(key)
                    async with asyncio.timeout(CLAIM_LIFE_S / 2):
                        await obstore.copy_async(self._store, staged, key)
        finally:
            with suppress(BaseError, OSError):
                await self._remove(staged)

    async def _must_be_free(self, key: str) -> None:
        with suppress(ObjectMissing):
            await self.head(key)
            raise ObjectExists(f"There is an object under {key} already.")

    async def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            await obstore.delete_async(self._store, path)


def _attributes(media_type: str) -> dict[str, str]:
    disposition = {} if is_shown(media_type) else {"Content-Disposition": "attachment"}
    return {"Content-Type": media_type, **disposition}


async def _joined(start: bytearray, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes | bytearray]:
    yield start
    async for block in coalesced(rest, _BLOCK_BYTES):
        yield block
