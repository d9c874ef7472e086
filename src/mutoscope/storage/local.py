"""Files on a local disk, as durable as the disk is: written aside, flushed, then put in place in one step.

Why not obstore's own local store: nothing in it promises a flush to disk, and what we call stored must outlive a
power cut.
"""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BufferedReader
from pathlib import Path

from mutoscope.core.clock import Clock, SystemClock
from mutoscope.core.errors import MutoscopeError
from mutoscope.core.ids import new_id
from mutoscope.storage.base import ObjectMissing, StorageError, StoredObject
from mutoscope.storage.chunks import coalesced
from mutoscope.storage.drafts import Draft, Folders, flush_folder
from mutoscope.storage.keys import checked
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.probe import prove

_BLOCK_BYTES = 1024 * 1024
_DRAFTS = ".drafts"
_DRAFT_LIFE = timedelta(days=1)


class LocalStore:
    """An ``ObjectStore`` in a folder.

    Args:
        root: The folder; made when the first file is written. It must be on one file system that has hard links.
        signer: Makes the links; the service that serves ``/files`` must verify them with the same secret.
        clock: For the expiry of links and of drafts left behind by a killed process.
    """

    def __init__(self, root: Path, signer: LinkSigner, *, clock: Clock | None = None) -> None:
        self._root = root.absolute()
        self._signer = signer
        self._clock = clock or SystemClock()
        self._folders = Folders(self._root)

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, media_type: str) -> None:
        """See ``ObjectStore.put``. ``media_type`` is not kept."""
        del media_type
        target = self.path(key)
        draft = Draft(self._root / _DRAFTS / new_id("draft"), target, self._folders)
        try:
            async for block in coalesced(chunks, _BLOCK_BYTES):
                with _translated(key):
                    await asyncio.to_thread(draft.write, block)
            with _translated(key):
                await asyncio.to_thread(draft.publish)
        finally:
            if not draft.published:
                # If we were cancelled, a write may still run in its thread: this waits for it, uncancelled itself.
                await asyncio.shield(asyncio.to_thread(draft.discard))

    async def head(self, key: str) -> StoredObject:
        """See ``ObjectStore.head``."""
        with _translated(key, absent=ObjectMissing):
            found = await asyncio.to_thread(self._stat, key)
        modified_at = datetime.fromtimestamp(found.st_mtime, UTC)
        return StoredObject(key=key, size_bytes=found.st_size, media_type=None, modified_at=modified_at)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """See ``ObjectStore.read``."""
        with _translated(key, absent=ObjectMissing):
            file = await asyncio.to_thread(self._open, key)
        with file:
            while True:
                with _translated(key):
                    block = await asyncio.to_thread(file.read, _BLOCK_BYTES)
                if not block:
                    return
                yield block

    async def delete(self, key: str) -> None:
        """See ``ObjectStore.delete``."""
        with _translated(key):
            await asyncio.to_thread(self._remove, key)

    async def link(self, key: str, *, expires_s: int, media_type: str) -> str:
        """See ``ObjectStore.link``."""
        return self._signer.sign(key, self._clock.now() + timedelta(seconds=expires_s), media_type)

    async def check(self) -> None:
        """See ``ObjectStore.check``. Also removes drafts that a killed process left more than a day ago."""
        await prove(self)
        with _translated(_DRAFTS):
            await asyncio.to_thread(self._sweep)

    async def aclose(self) -> None:
        """Nothing is held open."""

    def path(self, key: str) -> Path:
        """Where the file of ``key`` lies. Raises ``InvalidKey``, or ``ObjectMissing`` behind a symbolic link."""
        path = self._root / checked(key)
        if path.parent.resolve() != self._root.resolve() / path.parent.relative_to(self._root):
            raise ObjectMissing(f"There is no file under {key}: a folder on the way is a symbolic link.")
        return path

    def _stat(self, key: str) -> os.stat_result:
        found = os.stat(self.path(key), follow_symlinks=False)  # noqa: PTH116
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a file")
        return found

    def _open(self, key: str) -> BufferedReader:
        descriptor = os.open(self.path(key), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "rb")
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "not a file")

    def _remove(self, key: str) -> None:
        path = self.path(key)
        path.unlink(missing_ok=True)
        if path.parent.exists():
            flush_folder(path.parent)

    def _sweep(self) -> None:
        oldest = (self._clock.now() - _DRAFT_LIFE).timestamp()
        for draft in (self._root / _DRAFTS).glob("*"):
            if draft.stat().st_mtime < oldest:
                draft.unlink(missing_ok=True)


@contextmanager
def _translated(key: str, *, absent: type[MutoscopeError] = StorageError) -> Generator[None]:
    """No bare ``OSError`` leaves this module; ``absent`` is what a file that is not there means."""
    try:
        yield
    except FileNotFoundError as missing:
        raise absent(f"There is no file under {key}.") from missing
    except OSError as failed:
        if failed.errno == errno.ELOOP:  # what O_NOFOLLOW says of a symbolic link
            raise absent(f"There is no file under {key}.") from failed
        raise StorageError(f"The disk refused {key}: {failed.strerror}.") from failed
