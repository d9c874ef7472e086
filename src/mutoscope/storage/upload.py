"""One large upload through obstore that ends cleanly, whatever happens to its source or to the task that runs it.

Cancelling an obstore upload leaves its parts behind in the bucket, unseen and paid for, while one whose source fails is
aborted by obstore. So the upload runs in a task of its own that nobody cancels: it is fed through a pipe, and giving
up means breaking the pipe.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import obstore
from obstore.store import S3Store

from mutoscope.storage.s3 import translated

PART_BYTES = 8 * 1024 * 1024
_PARALLEL_PARTS = 2
_END_DEADLINE_S = 20.0


class _Broken(Exception):
    """What obstore sees instead of the rest of the file."""


class _Pipe:
    """Holds at most one block: what the feeder sends and obstore takes."""

    def __init__(self) -> None:
        self._blocks: asyncio.Queue[bytes | bytearray | None] = asyncio.Queue(maxsize=1)
        self._closed = False
        self._broken = False

    async def send(self, block: bytes | bytearray | None) -> bool:
        """Hand over a block, or ``None`` for the end; ``False`` when nobody takes blocks any more."""
        if not self._closed:
            await self._blocks.put(block)
        return not self._closed

    def close(self) -> None:
        """The taker has ended: let a waiting feeder go on."""
        self._closed = True
        self._drain()

    def break_off(self) -> None:
        """The feeder gives up: make the taker fail."""
        self._broken = True
        self._drain()
        self._blocks.put_nowait(None)

    def __aiter__(self) -> "_Pipe":
        return self

    async def __anext__(self) -> bytes | bytearray:
        block = await self._blocks.get()
        if self._broken:
            raise _Broken
        if block is None:
            raise StopAsyncIteration
        return block

    def _drain(self) -> None:
        while not self._blocks.empty():
            self._blocks.get_nowait()


async def upload(
    store: S3Store, path: str, blocks: AsyncIterator[bytes | bytearray], *, attributes: dict[str, str]
) -> None:
    """Write ``path`` as a multipart upload, with memory for about four parts.

    What ``blocks`` raises passes through; after that, after a failure and after a cancellation nothing is visible.

    Raises:
        StorageError: The store failed.
    """
    pipe = _Pipe()
    running = asyncio.ensure_future(
        obstore.put_async(
            store, path, pipe, attributes=attributes,
            use_multipart=True, chunk_size=PART_BYTES, max_concurrency=_PARALLEL_PARTS,
        )
    )  # fmt: skip
    running.add_done_callback(lambda _: pipe.close())
    try:
        async for block in blocks:
            if not await pipe.send(block):
                break
        await pipe.send(None)
        with translated(path):
            await asyncio.shield(running)
    except BaseException:
        pipe.break_off()
        await _ended(running)
        raise


async def run_to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await ``work``; if we are cancelled meanwhile, let it come to its own end before the cancellation goes on."""
    running = asyncio.ensure_future(work)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await _ended(running)
        raise


async def _ended(running: asyncio.Future[Any]) -> None:
    """Wait for an end, but not for ever: past the deadline parts may stay behind, for the bucket's lifecycle rule."""
    done, _ = await asyncio.wait({running}, timeout=_END_DEADLINE_S)
    if not done:
        running.cancel()
    elif not running.cancelled():
        running.exception()  # looked at, so that asyncio does not report it as forgotten
