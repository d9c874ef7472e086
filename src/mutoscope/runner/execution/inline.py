"""Runs a model as a coroutine in the server, as many at once as there are workers, or without limit."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Protocol

from mutoscope.runner.models.base import InlineModel, Job, ModelFailed, Sink


class Executor(Protocol):
    """Runs jobs of one model. Cancelling ``run`` stops the job for real."""

    async def run(self, job: Job, sink: Sink) -> Any:
        """Wait for a free place, run the job and return its output. Raises ``ModelFailed``."""
        ...

    async def aclose(self) -> None:
        """Stop everything."""
        ...


class Inline:
    """The executor of models that are coroutines."""

    def __init__(self, predict: InlineModel, workers: int | None = None) -> None:
        self._predict = predict
        self._place: AbstractAsyncContextManager[object] = asyncio.Semaphore(workers) if workers else nullcontext()

    async def run(self, job: Job, sink: Sink) -> Any:
        """Run the job when its turn has come. Raises ``ModelFailed``."""
        try:
            async with self._place:
                return await self._predict(job, sink)
        except OSError as error:
            raise ModelFailed(f"The output could not be written: {error}") from error

    async def aclose(self) -> None:
        """Nothing to stop: its jobs are tasks of the server."""
