"""Runs a model as a coroutine in the server, without any limit on how many at once."""

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

    def __init__(self, predict: InlineModel) -> None:
        self._predict = predict

    async def run(self, job: Job, sink: Sink) -> Any:
        """Run the job at once. Raises ``ModelFailed``."""
        try:
            return await self._predict(job, sink)
        except OSError as error:
            raise ModelFailed(f"The output could not be written: {error}") from error

    async def aclose(self) -> None:
        """Nothing to stop: its jobs are tasks of the server."""
