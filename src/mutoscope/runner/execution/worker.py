"""The program of a worker process: loads one model and runs one job after another.

It speaks lines of JSON: jobs and cancels come on standard input, events leave on what was standard output. When the
server goes away, standard input ends and so does this process.
"""

import importlib
import json
import os
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO, cast

from mutoscope.runner.models.base import Canceled, Job, ModelFailed
from mutoscope.runner.models.context import Context, Predict

_NICE = 2


class Worker:
    """One model in this process."""

    def __init__(self, events: TextIO) -> None:
        self._events = events
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._canceled: set[str] = set()

    def emit(self, kind: str, value: Any = None) -> None:
        """Tell the server something."""
        self._events.write(json.dumps([kind, value]) + "\n")
        self._events.flush()

    def listen(self) -> None:
        """Read what the server says until it is gone."""
        for line in sys.stdin:
            kind, value = json.loads(line)
            if kind == "cancel":
                self._canceled.add(value)
            else:
                value["directory"] = Path(value["directory"])
                self._jobs.put(Job(**value))
        os._exit(0)

    def work(self, predict: Predict) -> None:
        """Run jobs for ever."""
        self.emit("ready")
        while True:
            job = self._jobs.get()
            self.emit(*self._run(predict, job))
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
    """Load the model named on the command line as ``module:function`` and serve it."""
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not get between the events
    os.nice(_NICE)
    module, _, name = sys.argv[1].partition(":")
    worker = Worker(events)
    threading.Thread(target=worker.listen, daemon=True).start()
    worker.work(cast("Predict", getattr(importlib.import_module(module), name)))


if __name__ == "__main__":
    main()
