"""A service with its front door on a fresh database; one runner per worker."""

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.api.service import Person, Service, service
from tests.compat.door import Door, door
from tests.webhooks.receiver import Receiver, receiver
from tests.world import RunnerProcess, echo, runner_process, settings_for


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("door-runner")) as one:
        yield one


@pytest.fixture
async def here(database_url: str, tmp_path: Path, runner: RunnerProcess) -> AsyncIterator[Service]:
    """A service with webhooks on; the test model has a price, and a deployment of it another one."""
    models = {"echo": echo(), "deployed": echo(reference="deployments/mutoscope/echo", price={"per_run": 1})}
    settings = settings_for(database_url, tmp_path, runner, models=models)
    async with service(settings, runner, webhooks=True) as one:
        yield one


@pytest.fixture
async def ann(here: Service) -> AsyncIterator[Person]:
    async with here.person("ann") as one:
        yield one


@pytest.fixture
async def bob(here: Service) -> AsyncIterator[Person]:
    async with here.person("bob") as one:
        yield one


@pytest.fixture
async def anns(here: Service, ann: Person) -> AsyncIterator[Door]:
    """The front door as Ann's Replicate client sees it."""
    async with door(here.url, ann.key) as one:
        yield one


@pytest.fixture
async def bobs(here: Service, bob: Person) -> AsyncIterator[Door]:
    async with door(here.url, bob.key) as one:
        yield one


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one
