from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.runner.harness import Client, Receiver, receiver, running


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Client]:
    async with running(tmp_path / "state") as client:
        yield client


@pytest.fixture
async def hook(runner: Client) -> AsyncIterator[Receiver]:
    async with receiver(runner.secret) as one:
        yield one
