"""A backlog larger than the engine: it goes on by itself, without waiting for the sweep."""

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from mutoscope.bootstrap import Runtime, open_runtime, running
from mutoscope.generations.models import Generation
from mutoscope.generations.service import NewGeneration
from mutoscope.generations.states import Phase
from tests.world import RunnerProcess, grant, settings_for, until

MANY = 60
NEVER_S = 3600


async def _count(runtime: Runtime, *conditions: object) -> int:
    async with runtime.database.read() as session:
        return await session.scalar(select(func.count()).select_from(Generation).where(*conditions)) or 0  # type: ignore[arg-type]


@pytest.mark.slow
async def test_overdue_polls_are_made_one_after_another(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    """As after an outage. Steps that park ring nobody, and the next poll is minutes away."""
    settings = settings_for(
        database_url,
        tmp_path,
        runner,
        public_url="http://127.0.0.1:9",  # nobody calls back: only what is due moves a row
        engine={"concurrency": 4, "sweep_s": NEVER_S, "lease_s": 30, "shutdown_s": 5},
        admission={"max_in_flight_per_account": MANY, "net_polls_per_minute": 1},
    )
    async with open_runtime(settings) as runtime:
        account = await runtime.accounts.create("ann")
        await grant(runtime, account.id, 1000)
        for number in range(MANY):
            new = NewGeneration("echo", {"text": f"backlog {number}", "seconds": 600})
            await runtime.generations.create(account.id, new)
        async with running(runtime):
            await until(lambda: _all_wait(runtime), 60)
    async with open_runtime(settings) as runtime:
        overdue = runtime.clock.now()
        async with runtime.database.write() as session:
            await session.execute(update(Generation).values(due_at=overdue))
        async with running(runtime):
            await until(lambda: _all_polled(runtime, overdue), 60)


async def _all_wait(runtime: Runtime) -> bool:
    return await _count(runtime, Generation.phase == Phase.AWAIT) == MANY


async def _all_polled(runtime: Runtime, overdue: datetime) -> bool:
    return await _count(runtime, Generation.due_at > overdue) == MANY
