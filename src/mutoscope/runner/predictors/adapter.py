"""Runs a Cog-style predictor in a worker process: inputs in, outputs out, prints into the logs, cancels for real."""

import contextlib
import enum
import inspect
import io
import mimetypes
import pathlib
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import pydantic

from mutoscope.runner.models.context import Context
from mutoscope.runner.predictors.load import load_predictor, predict_function
from mutoscope.runner.predictors.loop import PredictorLoop
from mutoscope.runner.predictors.signature import Parameter, parameters


class Adapter:
    """One predictor, loaded and set up. It is called as any model's function is."""

    def __init__(self, reference: str) -> None:
        self._predictor = load_predictor(reference)
        self._function = predict_function(self._predictor)
        self._parameters = {one.name: one for one in parameters(self._function)}
        self._loop = PredictorLoop()
        self._context: Context | None = None
        if setup := getattr(self._predictor, "setup", None):
            result = setup()
            if inspect.iscoroutine(result):
                self._loop.run(result)
        self._loop.keep()
        signal.signal(signal.SIGUSR1, self._interrupted)

    def __call__(self, context: Context) -> Any:
        """Run one job."""
        self._context = context
        logs = _Logs(context)
        try:
            context.check()  # a cancel that came before this line has interrupted nobody
            with (
                tempfile.TemporaryDirectory() as directory,
                contextlib.redirect_stdout(logs),
                contextlib.redirect_stderr(logs),
            ):
                return self._perform(context, pathlib.Path(directory))
        finally:
            self._context = None

    def _perform(self, context: Context, directory: pathlib.Path) -> Any:
        try:
            return self._collect(context, self._function(**self._inputs(context, directory)))
        except BaseException:
            self._context = None  # whoever cancels again kills
            self._loop.clear()
            raise

    def _interrupted(self, *_: object) -> None:
        """In the main thread, between two of its steps: end the job if it is the one that was canceled."""
        if self._context:
            self._context.check()

    def _inputs(self, context: Context, directory: pathlib.Path) -> dict[str, Any]:
        """The job's input as the signature wants it; files are fetched."""
        given: dict[str, Any] = {}
        for name, value in context.input.items():
            one = self._parameters[name]
            convert = _Convert(context, one, directory / name)
            if one.repeated and value is not None:
                given[name] = [convert(item) for item in value]
            else:
                given[name] = convert(value)
        left_out = {name: None for name, one in self._parameters.items() if one.optional and name not in given}
        return {**left_out, **given}

    def _collect(self, context: Context, result: Any) -> Any:
        """The output; of an iterator all its items, each shown when it comes."""
        if inspect.iscoroutine(result):
            result = self._loop.run(result)
        if isinstance(result, AsyncIterator):
            result = self._loop.iterate(cast("AsyncIterator[Any]", result))
        if not isinstance(result, Iterator):
            return _output(context, result, "output")
        items: list[Any] = []
        for item in cast("Iterator[Any]", result):
            items.append(_output(context, item, f"output-{len(items)}"))
            context.append(items[-1])
        return items


class _Convert:
    """Makes one value what its type says."""

    def __init__(self, context: Context, parameter: Parameter, directory: pathlib.Path) -> None:
        self._context = context
        self._parameter = parameter
        self._directory = directory

    def __call__(self, value: Any) -> Any:
        kind: Any = self._parameter.kind
        if value is None or not inspect.isclass(kind):
            return value
        if self._parameter.is_file:
            return self._file(kind, str(value))
        if issubclass(kind, float) or issubclass(kind, enum.Enum) or kind.__name__ == "Secret":
            return self._parameter.kind(value)
        return value

    def _file(self, kind: Any, url: str) -> Any:
        data = self._context.read(url)
        directory = self._directory / str(sum(1 for _ in self._directory.glob("*")))
        directory.mkdir(parents=True)
        path = directory / _file_name(url)
        path.write_bytes(data)
        return kind(str(path))


def _file_name(url: str) -> str:
    if url.startswith("data:"):
        media_type = url.removeprefix("data:").partition(",")[0].partition(";")[0]
        return "input" + (mimetypes.guess_extension(media_type) or "")
    return pathlib.PurePosixPath(urlsplit(url).path).name[-100:] or "input"


def _output(context: Context, value: Any, name: str) -> Any:
    """A value as JSON; files are kept under the run's own names."""
    match value:
        case pathlib.PurePath():
            path, link = context.file(f"{name}{value.suffix}")
            shutil.copyfile(value, path)
            return link
        case pydantic.BaseModel():
            return _output(context, dict(value), name)
        case enum.Enum():
            return value.value
        case Mapping():
            named = cast("Mapping[str, Any]", value)
            return {key: _output(context, one, f"{name}-{key}") for key, one in named.items()}
        case list() | tuple():
            items = cast("list[Any]", value)
            return [_output(context, one, f"{name}-{index}") for index, one in enumerate(items)]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _output(context, {one.name: getattr(value, one.name) for one in fields(value)}, name)
        case _:
            return value


class _Logs(io.TextIOBase):
    """What is printed becomes the prediction's logs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def write(self, text: str, /) -> int:
        """Add to the logs."""
        if text:
            self._context.write(text)
        return len(text)
