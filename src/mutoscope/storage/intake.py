"""Takes a provider's output into a store: looked at, counted, hashed and written once, in one pass over it."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mutoscope.core.errors import MutoscopeError
from mutoscope.storage.base import ObjectExists, ObjectMissing, ObjectStore, StorageError
from mutoscope.storage.sniff import SNIFF_BYTES, sniff
from mutoscope.storage.sources import SourceFailed

OpenSource = Callable[[], AsyncGenerator[bytes]]
"""Opens the provider's file from its beginning; it may be called a second time."""


class OutputRejected(MutoscopeError):
    """The provider's file is empty or not of a kind that this model may give."""

    status, code, title = 502, "output_rejected", "The provider's output was rejected"


class OutputTooLarge(OutputRejected):
    """The provider's file is larger than this model may give."""

    code = "output_too_large"


@dataclass(frozen=True, slots=True)
class TakenIn:
    """A file that is stored.

    Attributes:
        key: Its name in the store.
        size_bytes: Its length.
        sha256: The hash of its bytes, in lower-case hexadecimal digits.
        media_type: What its first bytes say it is.
    """

    key: str
    size_bytes: int
    sha256: str
    media_type: str


async def take_in(
    store: ObjectStore,
    open_source: OpenSource,
    *,
    prefix: str,
    max_bytes: int,
    allowed_media_types: Sequence[str] | None,
) -> TakenIn:
    """Store the file that ``open_source`` gives. May be run again after a crash at any point: nothing is stored twice.

    Args:
        store: Where to.
        open_source: Where from.
        prefix: The key without its extension, which follows from what the file is. If another file is there already,
            the key gets a part of the hash before the extension.
        max_bytes: The largest file that is accepted.
        allowed_media_types: Patterns such as ``image/*``; ``None`` accepts every kind.

    Raises:
        OutputRejected, OutputTooLarge: The file is not acceptable.
        StorageError: The store failed.
        SourceError: The source failed (or whatever else ``open_source`` raises).
    """
    async with aclosing(open_source()) as source:
        body = await Body.begin(source, max_bytes)
        media_type, extension = sniff(body.head)
        _check_kind(media_type, body.head, allowed_media_types)
        key = f"{prefix}.{extension}"
        try:
            await store.put(key, body, media_type=media_type)
        except ObjectExists:
            await body.drain()
            if not await _holds(store, key, body):
                key = f"{prefix}-{body.sha256[:12]}.{extension}"
                await _put_beside(store, open_source, key, body, media_type)
    return TakenIn(key=key, size_bytes=body.size_bytes, sha256=body.sha256, media_type=media_type)


class Body:
    """A file on its way: an iterator of its chunks that counts and hashes what it gives out. Made by ``begin``."""

    def __init__(self, head: bytes, rest: AsyncIterator[bytes], max_bytes: int) -> None:
        self.head = head[:SNIFF_BYTES]
        self.size_bytes = 0
        self._pending = head
        self._rest = rest
        self.max_bytes = max_bytes
        self._hash = hashlib.sha256()

    @classmethod
    async def begin(cls, source: AsyncIterator[bytes], max_bytes: int) -> "Body":
        """Read until there is enough to say what the file is."""
        head = bytearray()
        async for chunk in source:
            head += chunk
            if len(head) >= SNIFF_BYTES:
                break
        return cls(bytes(head), source, max_bytes)

    @property
    def sha256(self) -> str:
        """The hash of what has been given out."""
        return self._hash.hexdigest()

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        chunk, self._pending = self._pending, b""
        chunk = chunk or await anext(self._rest)
        self.size_bytes += len(chunk)
        if self.size_bytes > self.max_bytes:
            raise OutputTooLarge(f"The output is larger than the {self.max_bytes} bytes that are allowed.")
        self._hash.update(chunk)
        return chunk

    async def drain(self) -> None:
        """Read what is left, so that count and hash are those of the whole file."""
        async for _ in self:
            pass


def _check_kind(media_type: str, head: bytes, allowed: Sequence[str] | None) -> None:
    if not head:
        raise OutputRejected("The output is an empty file.")
    if allowed is not None and not any(fnmatchcase(media_type, pattern) for pattern in allowed):
        raise OutputRejected(f"The output is {media_type}; allowed is {', '.join(allowed)}.", media_type=media_type)


async def _holds(store: ObjectStore, key: str, body: Body) -> bool:
    """Whether the object under ``key`` has the bytes of ``body``: then it is ours, from a run that was cut off."""
    try:
        if (await store.head(key)).size_bytes != body.size_bytes:
            return False
        found = hashlib.sha256()
        async for chunk in store.read(key):
            found.update(chunk)
    except ObjectMissing as missing:
        raise StorageError(f"The store first had {key} and then did not.") from missing
    return found.hexdigest() == body.sha256


async def _put_beside(store: ObjectStore, open_source: OpenSource, key: str, first: Body, media_type: str) -> None:
    """Read the source again, now that its hash is known, and store it under a key that carries the hash."""
    async with aclosing(open_source()) as source:
        body = Body(b"", source, first.max_bytes)
        try:
            await store.put(key, body, media_type=media_type)
        except ObjectExists:
            if await _holds(store, key, first):
                return
            raise
    if body.sha256 != first.sha256:
        await store.delete(key)
        raise SourceFailed("The provider gave another file when it was read a second time.")
