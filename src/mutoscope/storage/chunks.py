"""Streams of bytes in pieces of a size that suits the one who takes them."""

from collections.abc import AsyncIterator


async def coalesced(chunks: AsyncIterator[bytes], block_bytes: int) -> AsyncIterator[bytes]:
    """The same bytes in blocks of at least ``block_bytes``, except the last; empty chunks vanish.

    Network reads come in tens of KiB, while a thread hop or a call into native code costs the same for a MiB.
    """
    block = bytearray()
    async for chunk in chunks:
        block += chunk
        if len(block) >= block_bytes:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
