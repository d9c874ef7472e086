"""How long an upload may take, and how many may run at once, so that slow senders hold up nobody but themselves."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager

from mutoscope.core.errors import MutoscopeError
from mutoscope.core.settings import UploadSettings


class UploadTooSlow(MutoscopeError):
    """The body stopped coming, or was not whole in time; nothing is kept."""

    status, code, title = 408, "upload_too_slow", "The file came too slowly"


class TooManyUploads(MutoscopeError):
    """As many uploads run as may."""

    status, code, title, retryable = 429, "too_many_uploads", "Too many uploads at once", True
    retry_after_s = 5


class Places:
    """The uploads that run in this process. Each may hold memory, so there are only so many places."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, account_id: str, settings: UploadSettings) -> Generator[None]:
        """Take a place for the length of the block. Raises ``TooManyUploads``."""
        if self._taken[account_id] >= (most := settings.max_parallel_per_account):
            raise TooManyUploads(f"This account may upload {most} files at once. Wait until one has come.")
        if self._taken.total() >= settings.max_parallel:
            raise TooManyUploads("The service takes no more uploads at this moment. Try again shortly.")
        self._taken[account_id] += 1
        try:
            yield
        finally:
            self._taken -= Counter({account_id: 1})  # leaves no zeros behind


async def timely(chunks: AsyncIterator[bytes], settings: UploadSettings) -> AsyncIterator[bytes]:
    """The same chunks. Raises ``UploadTooSlow`` when none comes for too long, or when all together take too long."""
    clock = asyncio.get_running_loop().time
    end = clock() + settings.max_s
    while True:
        try:
            async with asyncio.timeout_at(min(end, clock() + settings.stalled_s)):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError as late:
            raise UploadTooSlow(
                f"A file must come whole within {settings.max_s:g} s, and never stop for {settings.stalled_s:g} s."
            ) from late
        yield chunk
