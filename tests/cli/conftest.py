"""A shell in an empty folder, and one set up for a service."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cli.shell import TOML, Shell, service_env
from tests.world import RunnerProcess, runner_process


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("runner")) as one:
        yield one


@pytest.fixture
def empty(tmp_path: Path) -> Shell:
    directory = tmp_path / "shell"
    directory.mkdir()
    return Shell(directory)


@pytest.fixture
def shell(empty: Shell, database_url: str, runner: RunnerProcess) -> Shell:
    (empty.directory / "mutoscope.toml").write_text(TOML)
    return empty.with_env(**service_env(database_url, runner.url, runner.secret))
