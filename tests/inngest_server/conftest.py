"""A real server, without which these tests say so and are skipped."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from mutoscope.core.settings import Settings
from tests.inngest_server.server import VARIABLE, InngestServer, inngest_server
from tests.world import RunnerProcess, runner_process, settings_for

ENGINE = {"kind": "inngest", "lease_s": 3, "sweep_s": 0.2, "shutdown_s": 5, "lost_after_s": 10}


@pytest.fixture(scope="session", params=["dev", "start"])
def server_process(request: pytest.FixtureRequest) -> Generator[InngestServer]:
    if not os.environ.get(VARIABLE):
        pytest.skip(f"{VARIABLE} does not name an Inngest server")
    with inngest_server(request.param) as one:
        yield one


@pytest.fixture(scope="session")
def runner_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("inngest-runner")) as one:
        yield one


@pytest.fixture
def runner(runner_server: RunnerProcess) -> RunnerProcess:
    runner_server.plan()
    return runner_server


@pytest.fixture
def server(server_process: InngestServer) -> InngestServer:
    """It runs, whatever the test before has done to it."""
    server_process.ensure()
    return server_process


@pytest.fixture
def settings(database_url: str, tmp_path: Path, runner: RunnerProcess, server: InngestServer) -> Settings:
    """The same app for all tests: what is left of those before finds no such generation, and ends."""
    return settings_for(database_url, tmp_path, runner, engine=ENGINE, **server.settings)
