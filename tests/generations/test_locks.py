"""Locks are taken in one order: a generation's row first, what is told of it second. SQLite has but one writer."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from mutoscope.bootstrap import Runtime, open_runtime
from mutoscope.generations import attempts, telling, watch
from mutoscope.generations.asking import NewGeneration, Webhook
from mutoscope.generations.models import Generation
from mutoscope.generations.states import Phase
from mutoscope.generations.transitions import claim_one, move
from mutoscope.replicate_protocol.predictions import Prediction
from tests.world import RunnerProcess, grant, settings_for, until, waits_for_lock

LEASE = timedelta(seconds=60)


async def _waits(runtime: Runtime) -> Generation:
    """A generation with a webhook of its own, whose prediction runs, leased to the caller."""
    account = await runtime.accounts.create("ann")
    await grant(runtime, account.id, 10)
    webhook = Webhook("https://example.com/", ("logs", "completed"))
    made = await runtime.generations.create(account.id, NewGeneration("echo", {"text": "x"}, webhook=webhook))
    now = runtime.clock.now()
    async with runtime.database.write() as session:
        await session.execute(
            update(Generation).values(due_at=now, phase=Phase.SUBMITTING, status="processing", attempt=1)
        )
        row = await claim_one(session, made.id, now=now, lease=LEASE)
        assert row
        await attempts.intend(session, row, "ref_1", now=now)
        await attempts.bind(session, "ref_1", "p1")
        return await move(session, row, Phase.AWAIT, now=now, due=now, prediction_id="p1", run_deadline=now + LEASE)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_poll_and_a_webhook_at_once_do_not_wait_in_a_circle(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    async with open_runtime(settings_for(database_url, tmp_path, runner)) as runtime:
        row, now = await _waits(runtime), runtime.clock.now()
        said = Prediction(id="p1", status="processing", created_at=now, input={}, logs="news", model="m", version="v")

        async with runtime.database.write() as session:  # as a webhook does, with a pause between its two locks
            await session.execute(update(Generation).where(Generation.id == row.id).values(logs="news"))
            poll = asyncio.create_task(watch._still_running(runtime.machine, row, said, now))
            await until(lambda: waits_for_lock(runtime.database))
            await telling.progressed(session, row.id, row.account_id, row.webhook, now=now)
        assert (await poll).phase == Phase.AWAIT
