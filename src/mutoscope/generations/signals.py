"""The bell inside one process: wakes the engine's loop, and whoever waits for a generation."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager


class Signals:
    """Implements ``Bell``; all calls come from the event loop's own thread."""

    def __init__(self) -> None:
        self._work = asyncio.Event()
        self._waiters: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._listeners: list[Callable[[], None]] = []

    def ring(self) -> None:
        """Wake the engine's loop."""
        self._work.set()

    def ring_in(self, wait_s: float) -> None:
        """Wake the engine's loop a little after ``wait_s``."""
        asyncio.get_running_loop().call_later(max(wait_s, 0) + 0.001, self.ring)

    def changed(self, generation_id: str) -> None:
        """Wake whoever waits for this generation."""
        for waiter in self._waiters.get(generation_id, ()):
            waiter.set()
        for listener in self._listeners:
            listener()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` whenever any generation has changed."""
        self._listeners.append(listener)

    async def wait_for_work(self, timeout_s: float) -> None:
        """Return when rung, or after ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._work.wait()
        except TimeoutError:
            return
        finally:
            self._work.clear()

    @asynccontextmanager
    async def watching(self, generation_id: str) -> AsyncGenerator[asyncio.Event]:
        """An event that is set when the generation changes, from the moment the block is entered."""
        event = asyncio.Event()
        self._waiters[generation_id].add(event)
        try:
            yield event
        finally:
            self._waiters[generation_id].discard(event)
            if not self._waiters[generation_id]:
                del self._waiters[generation_id]
