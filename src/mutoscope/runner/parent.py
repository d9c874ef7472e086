"""Ends a runner together with the process that started it, however that one ends."""

import asyncio
import sys


async def end_with_parent(asked: asyncio.Event) -> None:
    """Set ``asked`` when standard input ends: the kernel closes the parent's side, even when it is killed."""

    class Watch(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            asked.set()

    await asyncio.get_running_loop().connect_read_pipe(Watch, sys.stdin)
