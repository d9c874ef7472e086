"""What the runner holds about each model it offers: how to run it, how to train it, and what to accept for it."""

import asyncio
import time
from typing import Any

from mutoscope.replicate_protocol.schemas import file_inputs
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.execution.cold import ColdStart
from mutoscope.runner.execution.inline import Executor, Inline
from mutoscope.runner.execution.processes import Processes
from mutoscope.runner.models.base import InlineModel, Model
from mutoscope.runner.validation import InputCheck


class Offer:
    """One model, ready to run."""

    def __init__(self, model: Model, config: RunnerConfig) -> None:
        workers = config.workers.get(model.full_name)
        self.model = model
        self.check = InputCheck(model.openapi_schema)
        self.executor = _executor(model.predictor, workers, config)
        if config.cold_start_s:
            self.executor = ColdStart(self.executor, config.cold_start_s, config.idle_s, time.monotonic)
        self.trainer = _executor(model.trainer.predictor, 1, config) if model.trainer else None
        training = _training_document(model.openapi_schema)
        self.training_check = InputCheck(training)
        self.training_files = file_inputs(training)

    async def aclose(self) -> None:
        """Stop everything that runs."""
        parts = (self.executor, self.trainer)
        await asyncio.gather(*(part.aclose() for part in parts if part))


def _executor(predictor: str | InlineModel, workers: int | None, config: RunnerConfig) -> Executor:
    if isinstance(predictor, str):
        return Processes(predictor, workers or 1, config.cancel_grace_s)
    return Inline(predictor, workers)


def _training_document(openapi_schema: dict[str, Any]) -> dict[str, Any]:
    """The same document, which calls the inputs of trainings what it else calls those of predictions."""
    schemas = openapi_schema["components"]["schemas"]
    return {"components": {"schemas": {**schemas, "Input": schemas.get("TrainingInput", {})}}}
