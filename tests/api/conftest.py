"""One service per test on a fresh database; one runner per worker."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from tests.api.service import Person, Service, service
from tests.world import RunnerProcess, echo, runner_process, settings_for


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("runner")) as one:
        yield one


@pytest.fixture
async def here(database_url: str, tmp_path: Path, runner: RunnerProcess) -> AsyncGenerator[Service]:
    """A service with webhooks on, and two models."""
    models = {"echo": echo(), "per-file": echo(price={"per_output": 2, "outputs_input": "size_bytes"})}
    async with service(settings_for(database_url, tmp_path, runner, models=models), runner, webhooks=True) as one:
        yield one


@pytest.fixture
async def ann(here: Service) -> AsyncGenerator[Person]:
    async with here.person("ann") as one:
        yield one


@pytest.fixture
async def bob(here: Service) -> AsyncGenerator[Person]:
    async with here.person("bob") as one:
        yield one
