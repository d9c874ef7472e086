"""The runner as a child process, which never outlives the demo."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mutoscope.core.errors import ConfigurationError

START_S = 60
STOP_S = 10
TOKEN = "demo"  # noqa: S105 - of a runner that listens on loopback only


@dataclass(frozen=True, slots=True)
class RunnerChild:
    """A runner that is ready."""

    url: str
    webhook_secret: str
    process: asyncio.subprocess.Process


@asynccontextmanager
async def runner_child(directory: Path) -> AsyncGenerator[RunnerChild]:
    """Run ``mutoscope runner`` for the length of the block, with its log in ``directory``.

    It is in a session of its own, so that Ctrl-C reaches us alone; and it ends when our end of its input closes, so
    that it does even if we are killed.

    Raises:
        ConfigurationError: It did not start; names its log.
    """
    log = directory / "runner.log"
    command = [sys.executable, "-m", "mutoscope", "runner", "--with-parent", "--port", "0", "--token", TOKEN]
    pipe = asyncio.subprocess.PIPE
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, "--state", str(directory / "runner"), stdin=pipe, stdout=pipe, stderr=errors,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield await _announced(process, log)
    finally:
        await _stop(process)


async def _announced(process: asyncio.subprocess.Process, log: Path) -> RunnerChild:
    assert process.stdout  # noqa: S101 - it is a pipe
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_S)
        ready = json.loads(line)
    except (TimeoutError, ValueError) as error:
        raise ConfigurationError(f"The runner did not start; {log} says why.") from error
    return RunnerChild(ready["url"], ready["webhook_secret"], process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
