"""The fake of the storage port: files in a dictionary, for tests and trials. It keeps every promise but durability."""

from collections.abc import AsyncIterator
from datetime import timedelta

from mutoscope.core.clock import Clock, SystemClock
from mutoscope.storage.base import ObjectExists, ObjectMissing, StoredObject
from mutoscope.storage.keys import checked
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.probe import prove

_BLOCK_BYTES = 1024 * 1024


class MemoryStore:
    """An ``ObjectStore`` that forgets everything with its process."""

    def __init__(self, signer: LinkSigner, *, clock: Clock | None = None) -> None:
        self._signer = signer
        self._clock = clock or SystemClock()
        self._objects: dict[str, tuple[StoredObject, bytes]] = {}

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, media_type: str) -> None:
        """See ``ObjectStore.put``. The whole file is held in memory."""
        checked(key)
        data = b"".join([chunk async for chunk in chunks])
        stored = StoredObject(key=key, size_bytes=len(data), media_type=media_type, modified_at=self._clock.now())
        if self._objects.setdefault(key, (stored, data))[0] is not stored:
            raise ObjectExists(f"There is an object under {key} already.")

    async def head(self, key: str) -> StoredObject:
        """See ``ObjectStore.head``."""
        return self._found(key)[0]

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """See ``ObjectStore.read``."""
        data = self._found(key)[1]
        for start in range(0, len(data), _BLOCK_BYTES):
            yield data[start : start + _BLOCK_BYTES]

    async def delete(self, key: str) -> None:
        """See ``ObjectStore.delete``."""
        self._objects.pop(checked(key), None)

    async def link(self, key: str, *, expires_s: int, media_type: str) -> str:
        """See ``ObjectStore.link``."""
        return self._signer.sign(key, self._clock.now() + timedelta(seconds=expires_s), media_type)

    async def check(self) -> None:
        """See ``ObjectStore.check``."""
        await prove(self)

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _found(self, key: str) -> tuple[StoredObject, bytes]:
        try:
            return self._objects[checked(key)]
        except KeyError:
            raise ObjectMissing(f"There is no object under {key}.") from None
