"""The adapters, and one runner for all tests of a worker."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mutoscope.providers.replicate import Replicate
from tests.providers.benches import Bench, FakeBench, RunnerBench
from tests.providers.servers import ScriptedServer, scripted_server
from tests.world import RunnerProcess, runner_process


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunnerProcess]:
    state: Path = tmp_path_factory.mktemp("providers-runner")
    with runner_process(state) as server:
        yield server


@pytest.fixture(params=["fake", "replicate"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    one: Bench = FakeBench.make() if request.param == "fake" else RunnerBench.make(request.getfixturevalue("runner"))
    yield one
    await one.provider.aclose()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as one:
        yield one


@pytest.fixture
async def replicate(server: ScriptedServer) -> AsyncIterator[Replicate]:
    one = Replicate(server.url, "secret-token")
    yield one
    await one.aclose()
