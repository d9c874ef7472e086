"""Runs the programs of ``examples/`` as a person would, against the servers of ``tests/clients``."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.conftest import target
from tests.clients.node import HERE, install

__all__ = ["pictures", "target"]  # pytest finds fixtures here by their names

EXAMPLES = Path(__file__).parents[2] / "examples"
_TIMEOUT_S = 240


@dataclass(frozen=True)
class Program:
    """How a program is started: a command line, to which its own arguments are added."""

    command: tuple[str, ...]

    async def run(self, *arguments: str, env: dict[str, str]) -> str:
        """What it printed; fails with what it complained of. Its environment is ``env`` and nothing else."""
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*self.command, *arguments, stdout=pipe, stderr=pipe, env=env)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                out, err = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        assert child.returncode == 0, out.decode() + err.decode()
        return out.decode()


def python_program(name: str) -> Program:
    return Program((sys.executable, str(EXAMPLES / name)))


def javascript_program(name: str, folder: Path) -> Program:
    """A module finds packages beside itself, so it is copied to where ``npm install`` would have put the client."""
    node = install().node
    folder.mkdir()
    (folder / name).write_bytes((EXAMPLES / name).read_bytes())
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    return Program((node, str(folder / name)))


@pytest.fixture(params=["python", "javascript"])
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """``examples/pictures``, in each language."""
    if request.param == "python":
        return python_program("pictures.py")
    return javascript_program("pictures.mjs", tmp_path / "project")
