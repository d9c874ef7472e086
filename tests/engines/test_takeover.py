"""Workers die, others go on."""

import asyncio
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from mutoscope.bootstrap import Runtime, open_runtime
from mutoscope.generations.models import Generation
from mutoscope.generations.states import FINAL, IN_FLIGHT, Phase
from tests.engines.workers import worker
from tests.world import PRICE, RunnerProcess, World, grant, settings_for, until

LEASE_S = 5
MANY = 50


async def _count(runtime: Runtime, *conditions: object) -> int:
    async with runtime.database.read() as session:
        return await session.scalar(select(func.count()).select_from(Generation).where(*conditions)) or 0  # type: ignore[arg-type]


# Workers beside the service need a database that processes can share.
on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@pytest.mark.slow
@on_postgres
@pytest.mark.parametrize("graceful", [False, True], ids=["killed", "stopped"])
async def test_another_worker_takes_over(
    graceful: bool, database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    """Two workers, one dies with 50 generations in flight: all end, within the lease and 5 s."""
    admission = {"max_in_flight_per_account": MANY}
    settings = settings_for(
        database_url, tmp_path, runner, engine={"lease_s": LEASE_S, "sweep_s": 0.2}, admission=admission
    )
    async with open_runtime(settings) as runtime:
        account = await runtime.accounts.create("user-1")
        await grant(runtime, account.id, MANY * PRICE)
        here = World(runtime, runner, account.id)
        with worker(settings) as first, worker(settings) as second:
            seconds = 2
            await asyncio.gather(*(here.make(f"take over {database_url} {n}", seconds=seconds) for n in range(MANY)))

            async def all_flying() -> bool:
                return await _count(runtime, Generation.phase == Phase.AWAIT) >= MANY * 0.8

            await until(all_flying, 30)
            assert await _count(runtime, Generation.phase.in_(IN_FLIGHT)) > 0
            first.terminate() if graceful else first.kill()
            died_at = time.monotonic()

            async def all_ended() -> bool:
                return await _count(runtime, Generation.status.in_(FINAL)) == MANY

            await until(all_ended, seconds + LEASE_S + 5)
            assert time.monotonic() - died_at <= seconds + LEASE_S + 5
            assert second.is_alive()
        assert await _count(runtime, Generation.status == "completed") == MANY
        assert await here.balance() == (0, 0, MANY * PRICE)
        assert len(runner.predictions(f"take over {database_url}")) == MANY
        assert await here.audit() == []


@on_postgres
async def test_an_accept_elsewhere_wakes_a_worker_at_once(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    """The accepting process runs no engine; the worker sweeps only every 30 s, so only the bell can be so quick."""
    settings = settings_for(database_url, tmp_path, runner, engine={"lease_s": LEASE_S, "sweep_s": 30})
    async with open_runtime(settings) as runtime:
        account = await runtime.accounts.create("user-1")
        await grant(runtime, account.id, 100)
        here = World(runtime, runner, account.id)
        with worker(settings):
            await here.finish(await here.make("first, while the worker may still be starting"), timeout_s=40)
            assert (await here.finish(await here.make("second"), timeout_s=10)).status == "completed"
