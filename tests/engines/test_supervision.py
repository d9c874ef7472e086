"""An engine that ends by itself is not a quiet death: readiness says so, and the process ends, to be started afresh."""

import asyncio
from pathlib import Path

import httpx
import pytest

from mutoscope.api.serving import listen
from mutoscope.cli.serve import _serve
from mutoscope.cli.worker import _work
from mutoscope.core.errors import ConfigurationError, PartEnded
from tests.api.service import service
from tests.world import RunnerProcess, settings_for

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def _kill_the_engine() -> None:
    """End its task, once it is there, as an error would that nobody foresaw."""
    async with asyncio.timeout(30):
        while not (found := [task for task in asyncio.all_tasks() if task.get_name() == "engine"]):
            await asyncio.sleep(0.02)
    found[0].cancel()
    await asyncio.wait(found)


async def test_readiness_sees_it(
    database_url: str, tmp_path: Path, runner: RunnerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        service(settings_for(database_url, tmp_path, runner), runner) as here,
        httpx.AsyncClient(base_url=here.url) as anybody,
    ):
        assert (await anybody.get("/readyz")).json()["engine"] == "ok"
        await _kill_the_engine()
        ill = await anybody.get("/readyz")
        assert (ill.status_code, ill.json()["status"], ill.json()["engine"]) == (503, "down", "down")
        assert "the engine has ended by itself" in caplog.text


async def test_serve_ends(database_url: str, tmp_path: Path, runner: RunnerProcess) -> None:
    listener = listen("127.0.0.1", 0)
    settings = settings_for(database_url, tmp_path, runner)
    serving = asyncio.create_task(_serve(settings, listener, upgrade=False, run_engine=True))
    await _kill_the_engine()
    with pytest.raises(PartEnded, match="engine"):
        await asyncio.wait_for(serving, 30)


async def test_a_worker_ends(database_url: str, tmp_path: Path, runner: RunnerProcess) -> None:
    working = asyncio.create_task(_work(settings_for(database_url, tmp_path, runner), connect=False))
    await _kill_the_engine()
    with pytest.raises(PartEnded, match="engine"):
        await asyncio.wait_for(working, 30)


@pytest.mark.parametrize(("kind", "connect"), [("embedded", True), ("inngest", False)])
async def test_a_worker_that_could_make_no_step_is_refused(
    kind: str, connect: bool, database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    settings = settings_for(database_url, tmp_path, runner, engine={"kind": kind}, inngest_dev="http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match="--connect"):
        await asyncio.wait_for(_work(settings, connect=connect), 30)
