"""What a model is, and what it may ask of the process that runs it."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from mutoscope.core.errors import MutoscopeError
from mutoscope.replicate_protocol.schemas import component

FILE_SCHEME = "runner-file:"
"""Marks a file in an output until the answer is written, because the address of this server may change."""


class ModelFailed(MutoscopeError):
    """The model cannot do what was asked; the text becomes the prediction's error."""

    status, code, title = 422, "model_failed", "The model failed"


class Canceled(MutoscopeError):
    """Raised inside a model between two steps, when somebody cancelled the prediction."""

    status, code, title = 409, "canceled", "The prediction was canceled"


@dataclass(frozen=True, slots=True)
class Job:
    """One run: the input with its defaults filled in, and where output files go.

    Attributes:
        id: The prediction's id.
        input: The validated input.
        directory: An empty directory of this run; made by who writes the first file.
        folder: The name of ``directory`` under the runner's files, part of every output link.
        uploads: Files of ``POST /v1/files`` that the input mentions: URL to path.
        weights: The file that a training made, where the version that runs is one of those.
    """

    id: str
    input: dict[str, Any]
    directory: Path
    folder: str
    uploads: dict[str, str]
    weights: str | None = None

    def file(self, name: str) -> tuple[Path, str]:
        """Where to write an output file of this name, and what to put into the output for it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        return self.directory / name, f"{FILE_SCHEME}{self.folder}/{name}"


class Sink(Protocol):
    """Where a run reports to while it runs."""

    def started(self) -> None:
        """The model has the job."""
        ...

    def log(self, text: str) -> None:
        """Append to the logs; lines end with a newline, a progress bar begins with a carriage return or a line."""
        ...

    def output(self, value: Any) -> None:
        """Replace the output so far."""
        ...

    def append(self, item: Any) -> None:
        """Add one item to an output that is a list."""
        ...


InlineModel = Callable[[Job, Sink], Awaitable[Any]]


@dataclass(frozen=True)
class Trainer:
    """How a model makes new versions of itself; what a training takes is ``TrainingInput`` in its schema.

    Attributes:
        predictor: ``module:function``, or a coroutine function, as a model's; it writes one file and returns it.
    """

    predictor: "str | InlineModel"


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        owner: First part of its name.
        name: Second part of its name.
        description: What it is, honestly: procedural or test models say so here.
        openapi_schema: What it takes and gives, in Cog's style.
        predictor: ``module:function`` or ``/path/predict.py:Predictor`` for a worker process, or a coroutine function
            that runs in the server.
        requires: Import names of libraries without which it is not offered.
        readme: Longer than ``description``, in Markdown.
        trainer: How it is trained, if it can be.
        source: A digest of its program, where another program is another version.
    """

    owner: str
    name: str
    description: str
    openapi_schema: dict[str, Any]
    predictor: str | InlineModel
    requires: tuple[str, ...] = ()
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    readme: str = ""
    trainer: Trainer | None = None
    source: str = ""

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"

    @cached_property
    def streams(self) -> bool:
        """Whether its output is a list of pieces that come one after the other."""
        return (component(self.openapi_schema, "Output") or {}).get("x-cog-array-type") == "iterator"

    @cached_property
    def version(self) -> str:
        """A 64-hex id that changes only when name, schema or ``source`` change."""
        parts = [self.full_name, self.openapi_schema, *([self.source] if self.source else [])]
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def progress_line(done: int, total: int, elapsed_s: float) -> str:
    """One line of a progress bar as tqdm draws it, which Replicate's clients read from logs."""
    filled = done * 10 // total
    rate = done / elapsed_s if elapsed_s > 0 else 0.0
    left_s = (total - done) / rate if rate else 0.0
    bar = "█" * filled + " " * (10 - filled)
    speed = f"{rate:.2f}it/s" if rate else "?it/s"
    return f"{done * 100 // total:3d}%|{bar}| {done}/{total} [{_clock(elapsed_s)}<{_clock(left_s)}, {speed}]\n"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"
