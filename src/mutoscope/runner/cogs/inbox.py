"""Takes what Cog servers say about predictions that run: the logs and the output so far.

Cog has no signatures, so that the key in the URL, which cannot be guessed, says who speaks. The end is not taken from
here but from the answer to the request that started the prediction, which cannot get lost.
"""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from mutoscope.runner.models.base import Sink

EVENTS = ("start", "output", "logs")


class Progress:
    """One prediction that runs on a Cog server, and what has been heard of it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._logged = 0

    def take(self, said: dict[str, Any]) -> None:
        """Report what is new in Cog's words; files are reported at the end only."""
        self._sink.started()
        logs, output = said.get("logs"), said.get("output")
        if isinstance(logs, str) and len(logs) > self._logged:
            self._sink.log(logs[self._logged :])
            self._logged = len(logs)
        if isinstance(output, list) and not any(_is_file(item) for item in cast("list[object]", output)):
            self._sink.output(output)


def _is_file(item: object) -> bool:
    return isinstance(item, str) and item.startswith("data:")


class Inbox:
    """The predictions that Cog servers may speak of. ``base_url`` is where they reach this runner."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._open: dict[str, Progress] = {}

    @contextmanager
    def expecting(self, progress: Progress) -> Generator[str, None, None]:
        """The URL for the webhooks of one prediction, which is good for the length of the block."""
        key = secrets.token_urlsafe(24)
        self._open[key] = progress
        try:
            yield f"{self._base_url}/_cog/{key}"
        finally:
            del self._open[key]

    def find(self, key: str) -> Progress | None:
        """Whom a key belongs to."""
        return self._open.get(key)
