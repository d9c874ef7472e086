"""A Cog server that the runner starts itself, and starts again when it has died."""

import asyncio
import os
import re
import shlex
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from mutoscope.core.errors import ConfigurationError
from mutoscope.runner.predictors.load import split_reference

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
# Cog starts its worker as "python", which it looks for on PATH: that must be the Python that has Cog.
_WITH_PATH = 'PATH="$0:$PATH" exec env "$@"'


def is_predictor(command: str) -> bool:
    """Whether it is a ``predict.py:Predictor``, and not a command of one or more words."""
    path = split_reference(command)[0]
    return path.suffix == ".py" and (path.is_file() or len(command.split()) == 1)


class CogProcess:
    """One command, and the process that runs it now, if any.

    Args:
        command: A command line that serves Cog's API on the port in the environment variable ``PORT``, or the
            ``predict.py:Predictor`` that ``cog.server.http`` of this Python is to serve.

    Raises:
        ConfigurationError: There is no command in it.
    """

    def __init__(self, command: str) -> None:
        self._directory: Path | None = None
        if is_predictor(command):
            path, name = split_reference(command)
            predictor = f"COG_PREDICT_TYPE_STUB={path.name}:{name or 'Predictor'}"
            self._words = [predictor, sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
            self._directory = path.resolve().parent
        else:
            self._words = _words(command)
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self.url = ""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it on a free port; wait for its health before using it."""
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        first = next(Path(word) for word in self._words if not _ASSIGNMENT.match(word))
        beside = first.parent if first.is_absolute() else Path(sys.executable).parent
        shell = ["/bin/sh", "-c", _WITH_PATH, str(beside), f"PORT={port}", *self._words]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mutoscope.runner.cogs.keeper", *shell),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            cwd=self._directory,
            start_new_session=True,  # else a signal to our group ends the keeper before the server
        )
        self._watch = asyncio.create_task(_end_group(self._process))

    async def stop(self) -> None:
        """End it, and all that it started."""
        process, self._process = self._process, None
        if process and process.stdin:
            process.stdin.close()
        if self._watch:
            await asyncio.wait([self._watch])  # whoever stops waiting does not stop it


async def _end_group(keeper: asyncio.subprocess.Process) -> None:
    """When the keeper has ended, end what it kept: a keeper that somebody has killed could not."""
    await keeper.wait()
    with suppress(ProcessLookupError):
        os.killpg(keeper.pid, signal.SIGKILL)


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigurationError(f"{command!r} is not a command line: {error}.") from error
    if all(_ASSIGNMENT.match(word) for word in words):
        raise ConfigurationError(f"{command!r} names no command.")
    return words


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
