"""Plays a cold start: a model that has not run for a while takes time before it runs again, as on shared hardware."""

import asyncio
from collections.abc import Callable
from typing import Any

from mutoscope.runner.execution.inline import Executor
from mutoscope.runner.models.base import Job, Sink


class ColdStart:
    """An executor that is slow to begin with.

    Args:
        executor: Runs the jobs.
        boot_s: How long a cold start takes; jobs that come meanwhile wait for the same one.
        idle_s: How long after the last job the model is cold again.
        now: A clock in seconds.
    """

    def __init__(self, executor: Executor, boot_s: float, idle_s: float, now: Callable[[], float]) -> None:
        self._executor = executor
        self._boot_s = boot_s
        self._idle_s = idle_s
        self._now = now
        self._ready_at = 0.0
        self._running = 0
        self._cold_at = float("-inf")

    async def run(self, job: Job, sink: Sink) -> Any:
        """Be warm, then run the job. Raises ``ModelFailed``."""
        self._heat()
        self._running += 1
        try:
            await asyncio.sleep(max(0.0, self._ready_at - self._now()))
            return await self._executor.run(job, sink)
        finally:
            self._running -= 1
            self._cold_at = self._now() + self._idle_s

    async def aclose(self) -> None:
        """Stop everything."""
        await self._executor.aclose()

    def _heat(self) -> None:
        now = self._now()
        if not self._running and now >= self._cold_at:
            self._ready_at = now + self._boot_s
