"""Runs ``mutoscope`` as a person would: another process, a folder of its own, and nothing of our environment."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_S = 90
# And what would make every process compile all of its modules again.
_OURS = ("MUTOSCOPE_", "AWS_", "DATABASE_URL", "REPLICATE_", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Running:
    """A command that goes on."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list[str])

    async def line_with(self, text: str, timeout_s: float = 60) -> str:
        """The next line of its output that has ``text`` in it."""
        assert self.process.stdout
        async with asyncio.timeout(timeout_s):
            while raw := await self.process.stdout.readline():
                self.lines.append(raw.decode())
                if text in self.lines[-1]:
                    return self.lines[-1].strip()
        raise AssertionError(f"it ended without saying {text!r}:\n{''.join(self.lines)}{await self.errors()}")

    async def errors(self) -> str:
        assert self.process.stderr
        return (await self.process.stderr.read()).decode()

    async def stop(self, how: signal.Signals = signal.SIGTERM, timeout_s: float = 30) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), timeout_s)


@dataclass(frozen=True)
class Shell:
    """A folder and an environment."""

    directory: Path
    env: dict[str, str] = field(default_factory=dict[str, str])

    def with_env(self, **env: str) -> "Shell":
        return Shell(self.directory, self.env | env)

    async def connected(self, serving: Running) -> "Shell":
        """A shell that talks to a service which has just been started for the first time."""
        key = (await serving.line_with("Operator key")).rpartition(" ")[2]
        url = (await serving.line_with("Mutoscope serves")).rpartition(" ")[2]
        return self.with_env(MUTOSCOPE_URL=url, MUTOSCOPE_API_KEY=key)

    async def run(self, *arguments: str, stdin: bytes | None = None) -> Done:
        """Run a command to its end."""
        process = await self._start(*arguments)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                out, err = await process.communicate(stdin)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def ok(self, *arguments: str) -> Done:
        done = await self.run(*arguments)
        assert done.status == 0, f"{arguments}: {done}"
        return done

    @asynccontextmanager
    async def start(self, *arguments: str, program: Sequence[str] = ("-m", "mutoscope")) -> AsyncGenerator[Running]:
        """Run a command for the length of the block."""
        process = await self._start(*arguments, program=program)
        try:
            yield Running(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def _start(self, *arguments: str, program: Sequence[str] = ("-m", "mutoscope")) -> asyncio.subprocess.Process:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable, *program, *arguments, cwd=self.directory,
            env=clean | {"COLUMNS": "160"} | self.env, stdin=pipe, stdout=pipe, stderr=pipe,
        )  # fmt: skip


TOML = """
[engine]
sweep_s = 0.2

[models.echo]
reference = "mutoscope/echo"
description = "Gives back what it is given."
price = { per_run = 3 }
"""


def service_env(database_url: str, runner_url: str, secret: str) -> dict[str, str]:
    """The environment of a service that uses a runner."""
    return {
        "DATABASE_URL": database_url,
        "REPLICATE_BASE_URL": runner_url,
        "REPLICATE_API_TOKEN": "test",
        "REPLICATE_WEBHOOK_SECRET": secret,
        "MUTOSCOPE_LOG_LEVEL": "WARNING",
    }
