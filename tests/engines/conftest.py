"""A runner for the tests of the engine."""

from collections.abc import Generator

import pytest

from tests.world import RunnerProcess, runner_process


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("engine-runner")) as server:
        yield server
