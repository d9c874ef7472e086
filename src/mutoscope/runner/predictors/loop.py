"""The event loop of a predictor: as old as the predictor, while what one of its jobs began ends with that job."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from typing import Any, cast


class PredictorLoop:
    """Runs what is asynchronous in a predictor. It stands still between two calls, and so does what was left in it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._kept: set[asyncio.Task[Any]] = set()
        self._items: AsyncIterator[Any] | None = None

    def run(self, work: Awaitable[Any]) -> Any:
        """Wait for its result."""
        return self._loop.run_until_complete(work)

    def iterate(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        """The items, each when it comes."""
        self._items = items
        while True:
            try:
                yield self.run(anext(items))
            except StopAsyncIteration:
                return

    def keep(self) -> None:
        """What runs in it now, begun by the setup, belongs to no job."""
        self._kept = asyncio.all_tasks(self._loop)

    def clear(self) -> None:
        """End what a job that was interrupted or has failed left in it: it would run on inside the next one."""
        left = asyncio.all_tasks(self._loop) - self._kept
        for task in left:
            task.cancel()
        self._wait(left)
        items, self._items = self._items, None
        if isinstance(items, AsyncGenerator):
            self._wait({self._loop.create_task(_close(cast("AsyncGenerator[Any, None]", items)))})

    def _wait(self, tasks: set[asyncio.Task[Any]]) -> None:
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))


async def _close(items: AsyncGenerator[Any, None]) -> None:
    await items.aclose()
