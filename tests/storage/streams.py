"""Sources of bytes for tests, and a look at how much memory this process holds."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

MIB = 1024 * 1024


async def stream(*chunks: bytes) -> AsyncGenerator[bytes]:
    """These chunks."""
    for chunk in chunks:
        yield chunk


async def failing(*chunks: bytes, error: BaseException) -> AsyncGenerator[bytes]:
    """These chunks, then ``error``."""
    for chunk in chunks:
        yield chunk
    raise error


async def stuck(*chunks: bytes, reached: asyncio.Event) -> AsyncGenerator[bytes]:
    """These chunks, then nothing for ever; says when it got there."""
    for chunk in chunks:
        yield chunk
    reached.set()
    await asyncio.Event().wait()
    yield b"never"


async def collected(chunks: AsyncIterator[bytes]) -> bytes:
    """All of a stream."""
    return b"".join([chunk async for chunk in chunks])


def resident_bytes() -> int:
    """The memory of this process that is in RAM now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Watched:
    """A stream of ``pieces`` times the same MiB that notes the largest memory of the process on its way."""

    def __init__(self, pieces: int) -> None:
        self.base = self.peak = resident_bytes()
        self._pieces = pieces
        self._piece = os.urandom(MIB)

    async def __call__(self) -> AsyncGenerator[bytes]:
        for number in range(self._pieces):
            yield number.to_bytes(8, "big") + self._piece[8:]
            self.look()

    def look(self) -> None:
        """Take a note of the memory now."""
        self.peak = max(self.peak, resident_bytes())

    @property
    def grown_mib(self) -> float:
        """How much memory came on top."""
        return (self.peak - self.base) / MIB
