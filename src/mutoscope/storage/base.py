"""The port of the storage room: what the rest of Mutoscope may ask of a place that keeps files."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mutoscope.core.errors import MutoscopeError


class StorageError(MutoscopeError):
    """The store did not answer or refused; trying again may help."""

    status, code, title, retryable = 503, "storage_unavailable", "The file store is not available", True


class ObjectExists(MutoscopeError):
    """There is an object under this key already; keys are written once."""

    status, code, title = 409, "object_exists", "The object exists already"


class ObjectMissing(MutoscopeError):
    """There is no object under this key."""

    status, code, title = 404, "object_missing", "The object does not exist"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the store knows of one object.

    Attributes:
        key: Its name in the store, always with ``/`` as the separator and never absolute.
        size_bytes: Its length.
        media_type: The media type given at ``put``, or ``None`` where the store does not keep it (local disk).
        modified_at: When it was last written, in UTC.
    """

    key: str
    size_bytes: int
    media_type: str | None
    modified_at: datetime


class ObjectStore(Protocol):
    """A place that keeps files under keys. Every adapter passes ``tests/storage/contract.py``."""

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, media_type: str) -> None:
        """Write a new object from a stream, with bounded memory; visible only when whole.

        What ``chunks`` raises passes through as it is. After that, or after a cancellation, no object is visible
        (unless the cancellation came when the store was already confirming it, and then it is whole).

        Raises:
            InvalidKey: See ``keys.checked``; every method raises it.
            ObjectExists: The key is taken; the object that is there is unchanged.
            StorageError: The store failed; no object is visible under the key.
        """
        ...

    async def head(self, key: str) -> StoredObject:
        """Describe an object. Raises ``ObjectMissing`` or ``StorageError``."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """Stream an object in chunks. Raises ``ObjectMissing`` or ``StorageError`` on the first chunk."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; removing what is not there is no error."""
        ...

    async def link(self, key: str, *, expires_s: int, media_type: str) -> str:
        """A URL under which anyone may read the object for ``expires_s`` seconds; for ever if the store is public."""
        ...

    async def check(self) -> None:
        """Prove that the store can be written, read and deleted. Raises ``StorageError`` saying what to do."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...
