"""One runner for the tests of a worker; each test has its own database and files."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from tests.world import RunnerProcess, World, runner_process, settings_for, world


@pytest.fixture(scope="session")
def runner_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("runner")) as server:
        yield server


@pytest.fixture
def runner(runner_server: RunnerProcess) -> RunnerProcess:
    """The runner, without faults."""
    runner_server.plan()
    return runner_server


@pytest.fixture
async def here(database_url: str, tmp_path: Path, runner: RunnerProcess) -> AsyncGenerator[World]:
    """A service that polls."""
    async with world(settings_for(database_url, tmp_path, runner), runner) as one:
        yield one
