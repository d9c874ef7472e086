"""What a model in a worker process is given: its job, a way to report, and files to read and write."""

import base64
import binascii
import time
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx

from mutoscope.runner.models.base import Canceled, Job, ModelFailed, progress_line

MAX_INPUT_BYTES = 64 * 2**20
_FETCH_TIMEOUT_S = 60


class Predict(Protocol):
    """A model's function: returns the output, raises ``ModelFailed`` or ``Canceled``."""

    def __call__(self, context: "Context") -> Any:
        """Run one job."""
        ...


class Context:
    """One run inside a worker process.

    Args:
        job: What to do.
        emit: Sends ``(kind, value)`` to the server.
        canceled: Whether the run is to stop.
    """

    def __init__(self, job: Job, emit: Callable[[str, Any], None], canceled: Callable[[], bool]) -> None:
        self.job = job
        self.input = job.input
        self._emit = emit
        self._canceled = canceled
        self._began = time.monotonic()

    def log(self, line: str) -> None:
        """Add one line to the logs."""
        self._emit("log", line + "\n")

    def write(self, text: str) -> None:
        """Add a text to the logs as it is."""
        self._emit("log", text)

    def output(self, value: Any) -> None:
        """Show what there is so far."""
        self._emit("output", value)

    def append(self, item: Any) -> None:
        """Add one item to an output that is a list."""
        self._emit("append", item)

    def check(self) -> None:
        """Call this between two steps. Raises ``Canceled``."""
        if self._canceled():
            raise Canceled("The prediction was canceled.")

    def progress(self, done: int, total: int) -> None:
        """Report that ``done`` of ``total`` steps are done. Raises ``Canceled``."""
        self._emit("log", progress_line(done, total, time.monotonic() - self._began))
        self.check()

    def file(self, name: str) -> tuple[Path, str]:
        """Where to write an output file, and what stands for it in the output."""
        return self.job.file(name)

    def read(self, url: str) -> bytes:
        """A file input: a data URL, an upload of this runner, or anything on http(s), bounded in size and time.

        Raises:
            ModelFailed: It cannot be had; the sentence says why.
            Canceled: The run was to stop while it was fetched.
        """
        return read_input(url, self.job.uploads, self.check)


def read_input(url: str, uploads: Mapping[str, str], check: Callable[[], None]) -> bytes:
    """What ``Context.read`` does; it blocks, and calls ``check`` now and then. Raises ``ModelFailed``."""
    if upload := uploads.get(url):
        return Path(upload).read_bytes()
    if url.startswith("data:"):
        return decode_data_url(url)
    if not url.startswith(("http://", "https://")):
        raise ModelFailed("A file input must be an http, https or data URL.")
    return _fetch(url, check)


def _fetch(url: str, check: Callable[[], None]) -> bytes:
    data, give_up_at = bytearray(), time.monotonic() + _FETCH_TIMEOUT_S
    try:
        with httpx.stream("GET", url, timeout=15, follow_redirects=True) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                data += chunk
                check()
                if len(data) > MAX_INPUT_BYTES or time.monotonic() > give_up_at:
                    raise ModelFailed(
                        f"The file input is larger than {MAX_INPUT_BYTES} bytes or took over {_FETCH_TIMEOUT_S} s.",
                    )
    except UnicodeError as error:  # of a label that is empty or too long, from the look-up of its name
        raise ModelFailed("The file input could not be fetched: the host of its URL is not valid.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelFailed(f"The file input could not be fetched: {error}") from error
    return bytes(data)


def decode_data_url(url: str) -> bytes:
    """What is in a data URL. Raises ``ModelFailed``."""
    head, comma, data = url.partition(",")
    if not comma or len(data) > MAX_INPUT_BYTES * 4 // 3:
        raise ModelFailed("The data URL is not valid or too large.")
    if not head.endswith(";base64"):
        return urllib.parse.unquote_to_bytes(data)
    try:
        return base64.b64decode(urllib.parse.unquote(data), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ModelFailed("The data URL is not valid base64.") from error
