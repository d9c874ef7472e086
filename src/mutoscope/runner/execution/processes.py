"""Runs a model in worker processes: one job each at a time, cancelled for real, replaced when they die."""

import asyncio
import contextlib
import dataclasses
import json
import logging
import sys
from collections.abc import Coroutine
from typing import Any

from mutoscope.runner.models.base import Job, ModelFailed, Sink

_START_TIMEOUT_S = 60
_MAX_LINE_BYTES = 64 * 2**20
_log = logging.getLogger(__name__)


class WorkerProcess:
    """One process, started when it is first needed."""

    def __init__(self, predictor: str) -> None:
        self._predictor = predictor
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, job: Job, sink: Sink) -> Any:
        """Run one job to its end. Raises ``ModelFailed``, also when the process dies."""
        await self._started()
        await self._send("job", {**dataclasses.asdict(job), "directory": str(job.directory)})
        sink.started()
        while True:
            kind, value = await self._event()
            match kind:
                case "log":
                    sink.log(value)
                case "output":
                    sink.output(value)
                case "append":
                    sink.append(value)
                case "done":
                    return value
                case _:
                    raise ModelFailed(str(value or "The model stopped."))

    async def stop(self, job: Job, grace_s: float) -> None:
        """Make the process stop this job: ask, wait, kill."""
        try:
            async with asyncio.timeout(grace_s):
                await self._send("cancel", job.id)
                while (await self._event())[0] not in {"done", "failed", "canceled"}:
                    continue
        except (TimeoutError, ModelFailed):
            await self.kill()

    async def kill(self) -> None:
        """End the process now; the next job starts a new one."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()

    async def _started(self) -> None:
        if self._process is not None:
            return
        command = [sys.executable, "-m", "mutoscope.runner.execution.worker", self._predictor]
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_MAX_LINE_BYTES)
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await self._ready()
        except ModelFailed:
            await self.kill()
            raise
        except TimeoutError as error:
            await self.kill()
            raise ModelFailed(f"The model did not start within {_START_TIMEOUT_S} s (code: E6716).") from error

    async def _ready(self) -> None:
        kind = ""
        while kind != "ready":
            kind, value = await self._event()
            if kind == "broken":
                raise ModelFailed(str(value))

    async def _send(self, kind: str, value: Any) -> None:
        if self._process is None or self._process.stdin is None:
            raise ModelFailed("The model's process is gone.")
        try:
            self._process.stdin.write(json.dumps([kind, value]).encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError as error:
            await self._mourn()
            raise ModelFailed("The model's process is gone.") from error

    async def _event(self) -> tuple[str, Any]:
        if self._process is None or self._process.stdout is None:
            raise ModelFailed("The model's process is gone.")
        try:
            line = await self._process.stdout.readline()
        except ValueError as error:  # what asyncio raises for a line above the limit
            await self.kill()  # the rest of the line, and what comes after it, would be taken for the next job's
            raise ModelFailed(f"The model gave more than {_MAX_LINE_BYTES} bytes at once.") from error
        if not line:
            status = await self._mourn()
            raise ModelFailed(f"The model's process ended unexpectedly (exit status {status}).")
        kind, value = json.loads(line)
        return kind, value

    async def _mourn(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        status = await process.wait()
        _log.warning("a model's process ended", extra={"model": self._predictor, "exit_status": status})
        return status


class Processes:
    """An executor over a fixed number of worker processes of one model."""

    def __init__(self, predictor: str, count: int, grace_s: float) -> None:
        self._free: asyncio.LifoQueue[WorkerProcess] = asyncio.LifoQueue()
        self._all = [WorkerProcess(predictor) for _ in range(count)]
        self._grace_s = grace_s
        self._cleaning: set[asyncio.Task[None]] = set()
        for worker in reversed(self._all):
            self._free.put_nowait(worker)

    async def run(self, job: Job, sink: Sink) -> Any:
        """Wait for a free process and run the job in it. Raises ``ModelFailed``."""
        worker = await self._free.get()
        try:
            output = await worker.run(job, sink)
        except ModelFailed:
            self._free.put_nowait(worker)
            raise
        except BaseException:
            self._clean(self._reclaim(worker, job))
            raise
        self._free.put_nowait(worker)
        return output

    async def aclose(self) -> None:
        """Kill every process."""
        for task in self._cleaning:
            task.cancel()
        await asyncio.gather(*self._cleaning, return_exceptions=True)
        await asyncio.gather(*(worker.kill() for worker in self._all))

    async def _reclaim(self, worker: WorkerProcess, job: Job) -> None:
        """A job that was left, as by a cancel, still holds its process: free it, behind the back of who left."""
        await worker.stop(job, self._grace_s)
        self._free.put_nowait(worker)

    def _clean(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
