"""Ends a runner together with the process that started it, however that one ends."""

import asyncio
import sys
from typing import Any


async def while_parent_lives(serving: "asyncio.Task[Any]") -> None:
    """Cancel a task when standard input ends: the kernel closes the parent's side, even when it is killed."""

    class Watch(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            serving.cancel()

    await asyncio.get_running_loop().connect_read_pipe(Watch, sys.stdin)
