"""The program of a worker process: loads one model and runs one job after another.

It speaks lines of JSON: jobs and cancels come on standard input, events leave on what was standard output. When the
server goes away, standard input ends and so does this process.
"""

import importlib
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO, cast

from mutoscope.runner.models.base import Canceled, Job, ModelFailed
from mutoscope.runner.models.context import Context, Predict
from mutoscope.runner.predictors.load import split_reference

_NICE = 2


class Worker:
    """One model in this process."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._main = threading.main_thread().ident or 0
        self.interruptible = False
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._canceled: set[str] = set()

    def emit(self, kind: str, value: Any = None) -> None:
        """Tell the server something, whole: a cancel waits until it is said."""
        line = json.dumps([kind, value], default=str) + "\n"
        try:
            signal.pthread_sigmask(
                signal.SIG_BLOCK, {signal.SIGUSR1}
            )  # may raise when it has blocked, for an earlier one
            self._events.write(line)
            self._events.flush()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})

    def listen(self) -> None:
        """Read what the server says until it is gone."""
        for line in sys.stdin:
            kind, value = json.loads(line)
            if kind == "cancel":
                self._canceled.add(value)
                if self.interruptible:
                    signal.pthread_kill(self._main, signal.SIGUSR1)
            else:
                value["directory"] = Path(value["directory"])
                self._jobs.put(Job(**value))
        os._exit(0)

    def work(self, predict: Predict) -> None:
        """Run jobs for ever."""
        self.emit("ready")
        while True:
            job = self._jobs.get()
            try:
                self.emit(*self._run(predict, job))
            except (TypeError, ValueError, RecursionError) as error:
                self.emit("failed", f"The output is not JSON: {error}")
            self._canceled.discard(job.id)

    def _run(self, predict: Predict, job: Job) -> tuple[str, Any]:
        context = Context(job, self.emit, lambda: job.id in self._canceled)
        try:
            return "done", predict(context)
        except Canceled:
            return "canceled", None
        except ModelFailed as error:
            return "failed", error.detail
        except Exception as error:  # noqa: BLE001 - the edge of the process: a model's fault fails its prediction only
            context.log(traceback.format_exc())
            return "failed", f"{type(error).__name__}: {error}"


def main() -> None:
    """Load the model named on the command line and serve it."""
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not get between the events
    os.nice(_NICE)
    signal.pthread_sigmask(
        signal.SIG_UNBLOCK, {signal.SIGUSR1}
    )  # it comes from who started the runner, and may not be empty
    worker = Worker(events)
    try:
        predict = _load(worker, sys.argv[1])
    except Exception as error:  # noqa: BLE001 - the edge of the process: says why there will be no model
        sys.stderr.write(traceback.format_exc())
        worker.emit("broken", f"The model could not be set up: {type(error).__name__}: {error}")
        return
    threading.Thread(target=worker.listen, daemon=True).start()
    worker.work(predict)


def _load(worker: Worker, reference: str) -> Predict:
    """``module:function`` of ours, or ``/path/predict.py:Predictor`` of somebody else."""
    if split_reference(reference)[0].suffix != ".py":
        module, _, name = reference.partition(":")
        return cast("Predict", getattr(importlib.import_module(module), name))
    from mutoscope.runner.predictors.adapter import Adapter

    predict = Adapter(reference)
    worker.interruptible = True
    return predict


if __name__ == "__main__":
    main()
