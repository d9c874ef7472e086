"""Generations that a real Cog server makes, paid for, while its processes are killed with -9 in the middle of them."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from mutoscope.generations.models import Generation
from mutoscope.generations.service import NewGeneration
from tests.runner.cog import NAME, SLEEPER, servers, workers
from tests.world import PRICE, RunnerProcess, World, runner_process, settings_for, until, world

pytest.importorskip("cog", reason="there is no cog here to test against: install the dev dependencies")
pytestmark = pytest.mark.slow

MANY = 9
KILLS = 3
_TIMEOUT_S = 120
VICTIMS: dict[str, Callable[[], list[int]]] = {"worker": workers, "server": servers}


@pytest.fixture(params=["webhook", "poll"])
async def here(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> AsyncGenerator[World]:
    """A service that sells what Cog makes; ``once`` is the same model without a second attempt."""
    entry: dict[str, Any] = {"reference": NAME, "price": {"per_run": PRICE}}
    models = {"cog": entry | {"max_attempts": KILLS + 1}, "once": entry | {"max_attempts": 1}}
    with runner_process(tmp_path / "runner", "--cog-command", f"{NAME}={SLEEPER}:Predictor") as runner:
        settings = settings_for(database_url, tmp_path, runner, models=models)
        async with world(settings, runner, webhooks=request.param == "webhook") as one:
            yield one


async def make(here: World, text: str, *, model: str = "cog", seconds: float = 0.5) -> Generation:
    new = NewGeneration(model, {"text": text, "seconds": seconds})
    return await here.runtime.generations.create(here.account_id, new)


def made(runner: RunnerProcess, status: str) -> set[str]:
    return {one["id"] for one in runner.predictions("text") if one["status"] == status}


async def kill_one(runner: RunnerProcess, victims: Callable[[], list[int]]) -> None:
    """Kill what makes a prediction, and if that was done just before, what makes the next, until one fails of it."""
    failed, hit = await asyncio.to_thread(made, runner, "failed"), set[str]()

    async def killed() -> bool:
        if fresh := await asyncio.to_thread(made, runner, "processing") - hit:
            hit.update(fresh)
            for pid in victims():
                os.kill(pid, signal.SIGKILL)
        return await asyncio.to_thread(made, runner, "failed") != failed

    await until(killed, _TIMEOUT_S)


async def stored(here: World, row: Generation) -> str:
    """What the only file of a generation says."""
    (file,) = (await here.runtime.generations.files([row.id]))[row.id]
    return b"".join([chunk async for chunk in here.runtime.store.read(file.key)]).decode()


@pytest.mark.parametrize("victim", VICTIMS)
async def test_nothing_is_lost_or_charged_for_nothing(here: World, victim: str) -> None:
    unlucky = await make(here, "unlucky", model="once", seconds=600)
    await until(lambda: asyncio.to_thread(made, here.runner, "processing"), _TIMEOUT_S)
    rows = [await make(here, f"text {index}") for index in range(MANY)]
    for _ in range(KILLS):
        await kill_one(here.runner, VICTIMS[victim])
    ended = [await here.finish(row, _TIMEOUT_S) for row in rows]
    assert [row.status for row in ended] == ["completed"] * MANY
    assert [await stored(here, row) for row in ended] == [f"text {index}" for index in range(MANY)]
    lost = await here.finish(unlucky, _TIMEOUT_S)
    assert (lost.status, lost.failure_code, lost.charged_credits) == ("failed", "provider_preempted", 0)
    assert await here.balance() == (1000 - MANY * PRICE, 0, MANY * PRICE)

    after = await here.finish(await make(here, "after"), _TIMEOUT_S)
    assert (after.status, after.attempt, await stored(here, after)) == ("completed", 1, "after")
    assert len(workers()) == 1
    assert len(made(here.runner, "succeeded")) == MANY + 1, "each was made to its end once"
    assert len(made(here.runner, "failed")) == KILLS
    assert await here.audit() == []
