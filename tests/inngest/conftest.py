"""A runner, and the server's stand-in."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from mutoscope.core.settings import Settings
from tests.inngest.standin import StandIn, standin
from tests.world import RunnerProcess, runner_process, settings_for


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("inngest-runner")) as one:
        yield one


@pytest.fixture(autouse=True)
def no_faults(runner: RunnerProcess) -> None:
    runner.plan()


@pytest.fixture
async def server() -> AsyncGenerator[StandIn]:
    async with standin() as one:
        yield one


@pytest.fixture
def settings(database_url: str, tmp_path: Path, runner: RunnerProcess, server: StandIn) -> Settings:
    return settings_for(
        database_url,
        tmp_path,
        runner,
        engine={"kind": "inngest", "lease_s": 3, "sweep_s": 0.2, "shutdown_s": 5, "lost_after_s": 4},
        inngest_dev=True,
        inngest_base_url=server.url,
    )
