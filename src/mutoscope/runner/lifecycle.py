"""Sees each run through: its turn, its model, its deadline, its faults, and exactly one end."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from mutoscope.core.json_limits import keepable
from mutoscope.runner.documents import MAX_DEPTH, is_deeper
from mutoscope.runner.execution.inline import Executor
from mutoscope.runner.hooks import Hooks
from mutoscope.runner.models.base import Job, ModelFailed
from mutoscope.runner.records import Live, Record
from mutoscope.runner.store import Store

_MAX_LOG_CHARACTERS = 1_000_000
_log = logging.getLogger(__name__)


class Lifecycle:
    """Owns the runs that have not ended.

    Args:
        hooks: Sends what happens to who wants to know.
        keep: Writes down how a run ended, and whether its terminal webhook is owed.
    """

    def __init__(self, hooks: Hooks, keep: Callable[[Record, bool], None]) -> None:
        self._hooks = hooks
        self._keep = keep
        self.live: dict[str, Live] = {}

    def begin(self, live: Live, executor: Executor, job: Job) -> None:
        """Start working on a run that is in the store."""
        self.live[live.record.id] = live
        live.task = asyncio.create_task(self._drive(live, executor, job))

    def cancel(self, live: Live) -> None:
        """End a run because somebody asked for it; its model is stopped behind it."""
        self.finish(live, "canceled")
        if live.task:
            live.task.cancel()

    async def aclose(self) -> None:
        """Stop all work and leave it unfinished in the store, as a killed process would."""
        tasks = [live.task for live in self.live.values() if live.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drive(self, live: Live, executor: Executor, job: Job) -> None:
        record = live.record
        left_s = (record.deadline - datetime.now(UTC)).total_seconds() if record.deadline else None
        deadline = asyncio.timeout(left_s)
        try:
            async with deadline:
                await self._perform(live, executor, job)
        except TimeoutError:
            if not deadline.expired():
                raise
            self.finish(live, "canceled" if record.started_at else "aborted")
        except ModelFailed as error:
            self.finish(live, "failed", error=error.detail)
        except Exception as error:  # noqa: BLE001 - the edge of a task: a fault of ours must end the run, not hang it
            _log.exception("a run failed by a fault of the runner", extra={"prediction": record.id})
            self.finish(live, "failed", error=f"The runner failed: {type(error).__name__}: {error}")

    async def _perform(self, live: Live, executor: Executor, job: Job) -> None:
        faults, reporter = live.faults, _Reporter(live, self._hooks)
        if faults.start_delay_s:
            await asyncio.sleep(faults.start_delay_s)
        if faults.abort:
            self.finish(live, "aborted")
        elif faults.failure is not None:
            reporter.started()
            raise ModelFailed(faults.failure)
        elif faults.hang:
            reporter.started()
            await asyncio.get_running_loop().create_future()
        else:
            output = await executor.run(job, reporter)
            if is_deeper(output, MAX_DEPTH):
                raise ModelFailed(f"The output is nested deeper than {MAX_DEPTH}.")
            self.finish(live, "succeeded", output=keepable(output))

    def finish(self, live: Live, status: str, *, output: Any = None, error: str | None = None) -> None:
        """End a run; the first end wins."""
        record = live.record
        if record.terminal:
            return
        record.status, record.error, record.completed_at = status, keepable(error), datetime.now(UTC)
        if status == "succeeded":
            record.output = output
        owes = record.webhook is not None and "completed" in record.events
        self._keep(record, owes)
        self.live.pop(record.id, None)
        live.finished.set()
        live.notify()
        self._hooks.send(live, "completed")


class _Reporter:
    """Turns what a model reports into the record and its webhooks, as far as it can be kept and shown."""

    def __init__(self, live: Live, hooks: Hooks) -> None:
        self._live = live
        self._hooks = hooks

    def started(self) -> None:
        record = self._live.record
        if record.started_at is None and not record.terminal:
            record.status, record.started_at = "processing", datetime.now(UTC)
            self._hooks.send(self._live, "start")

    def log(self, text: str) -> None:
        record = self._live.record
        if not record.terminal and len(record.logs) < _MAX_LOG_CHARACTERS:
            record.logs += keepable(text)
            self._hooks.update(self._live, "logs")

    def output(self, value: Any) -> None:
        record = self._live.record
        if not record.terminal and not is_deeper(value, MAX_DEPTH):
            record.output = keepable(value)
            self._changed()

    def append(self, item: Any) -> None:
        record = self._live.record
        if not record.terminal and not is_deeper(item, MAX_DEPTH):
            output: object = record.output
            record.output = pieces = cast("list[Any]", output) if isinstance(output, list) else []
            pieces.append(keepable(item))
            self._changed()

    def _changed(self) -> None:
        self._live.notify()
        self._hooks.update(self._live, "output")


def interrupt(store: Store, record: Record, error: str) -> None:
    """End a run that an earlier process left behind."""
    record.status, record.error, record.completed_at = "failed", error, datetime.now(UTC)
    store.finish(record, owes_webhook=record.webhook is not None and "completed" in record.events)
