"""What the runner holds about each model it offers: how to run it, how to train it, and what to accept for it."""

import asyncio
import time
from typing import Any

from mutoscope.replicate_protocol.schemas import file_inputs, for_trainings
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.execution.cold import ColdStart
from mutoscope.runner.execution.inline import Executor, Inline
from mutoscope.runner.execution.processes import Processes
from mutoscope.runner.models.base import InlineModel, Job, Model, Sink
from mutoscope.runner.validation import InputCheck


class Offer:
    """One model, ready to run; itself the executor of its predictions."""

    def __init__(self, model: Model, config: RunnerConfig) -> None:
        workers = config.workers.get(model.full_name)
        self.model = model
        self.check = InputCheck(model.openapi_schema)
        self._executor = _executor(model.predictor, workers, config)
        if config.cold_start_s:
            self._executor = ColdStart(self._executor, config.cold_start_s, config.idle_s, time.monotonic)
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.trainer = _executor(model.trainer.predictor, 1, config) if model.trainer else None
        training = for_trainings(model.openapi_schema)
        self.training_check = InputCheck(training)
        self.files = file_inputs(model.openapi_schema) | file_inputs(training)

    async def run(self, job: Job, sink: Sink) -> Any:
        """Run one prediction when its turn has come. Raises ``ModelFailed``."""
        self._running += 1
        self._idle.clear()
        try:
            return await self._executor.run(job, sink)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def retire(self) -> None:
        """Stop when everything that was accepted has ended; another offer has taken its place."""
        await self._idle.wait()
        await self.aclose()

    async def aclose(self) -> None:
        """Stop everything that runs."""
        parts = (self._executor, self.trainer)
        await asyncio.gather(*(part.aclose() for part in parts if part))


def _executor(predictor: str | InlineModel, workers: int | None, config: RunnerConfig) -> Executor:
    if isinstance(predictor, str):
        return Processes(predictor, workers or 1, config.cancel_grace_s)
    return Inline(predictor, workers)
