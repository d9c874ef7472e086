"""The pipeline over a real Inngest server: what it delays, doubles, forgets or kills ends as it should, and once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from mutoscope.bootstrap import open_runtime
from mutoscope.core.settings import Settings
from mutoscope.generations import attempts
from mutoscope.generations.models import Generation
from mutoscope.generations.service import NewGeneration
from mutoscope.generations.states import IN_FLIGHT, Phase
from mutoscope.ledger.models import CreditLot
from tests.crash.victim import Order, run_until_killed
from tests.engines.workers import connected_worker
from tests.inngest_server.server import InngestServer
from tests.world import PRICE, RunnerProcess, World, grant, until, world

MANY = 500


async def finished(here: World, text: str, **inputs: Any) -> Generation:
    """A generation that ended well, once, and for its price."""
    row = await here.finish(await here.make(text, **inputs), 90)
    assert (row.status, len(here.runner.predictions(text))) == ("completed", 1)
    assert await here.balance() == (1000 - PRICE, 0, PRICE)
    assert await here.audit() == []
    return row


async def in_phase(here: World, row: Generation, phase: Phase) -> bool:
    return (await here.runtime.generations.get(here.account_id, row.id)).phase == phase


async def test_polling(settings: Settings, runner: RunnerProcess) -> None:
    async with world(settings, runner) as here:
        await finished(here, f"polled {settings.database}", seconds=1)


async def test_a_webhook(settings: Settings, runner: RunnerProcess) -> None:
    """Without it the next look would come 15 s after the create."""
    async with world(settings, runner, webhooks=True) as here:
        row = await finished(here, f"webhook {settings.database}", seconds=3)
        assert row.completed_at is not None
        assert (row.completed_at - row.created_at).total_seconds() < 12


async def test_an_early_webhook(settings: Settings, runner: RunnerProcess) -> None:
    """It comes before the create has answered."""
    runner.plan({"do": {"create_delay_s": 1.5}})
    async with world(settings, runner, webhooks=True) as here:
        await finished(here, f"early {settings.database}")


async def test_events_that_come_again(settings: Settings, runner: RunnerProcess, server: InngestServer) -> None:
    """Under their ids nothing comes of them; under others a run that finds nothing to do."""
    async with world(settings, runner) as here:
        text = f"again {settings.database}"
        row = await here.make(text, seconds=4)
        await until(lambda: in_phase(here, row, Phase.AWAIT))
        async with httpx.AsyncClient(trust_env=False) as http:
            data = {"generation_id": row.id, "account_id": row.account_id, "priority": 0, "phase": "submit"}
            for number in range(10):
                event = {"id": f"{row.id}:{number % 3}", "name": "mutoscope/generation.requested"}
                body = [event | {"data": data | {"lease": number % 3, "run": number % 3}}]
                (await http.post(server.events_url, json=body)).raise_for_status()
        ended = await here.finish(row, 60)
        assert (ended.status, len(runner.predictions(text))) == ("completed", 1)
        assert await here.audit() == []


@pytest.mark.parametrize("when", ["at once", "while it waits", "while it is created"])
async def test_a_cancel(when: str, settings: Settings, runner: RunnerProcess) -> None:
    text = f"cancel {when} {settings.database}"
    if when == "while it is created":
        runner.plan({"do": {"create_delay_s": 2}})
    async with world(settings, runner, webhooks=True) as here:
        row = await here.make(text, seconds=600)
        phase = {"while it waits": Phase.AWAIT, "while it is created": Phase.SUBMITTING}.get(when)
        if phase:
            await until(lambda: in_phase(here, row, phase))
        await here.runtime.generations.cancel(here.account_id, row.id)
        ended = await here.finish(row, 60)
        assert ended.status == "canceled"
        assert await here.balance() == (1000, 0, 0)
        assert {one["status"] for one in runner.predictions(text)} <= {"canceled", "aborted"}
        assert await here.audit() == []


@pytest.mark.slow
@pytest.mark.parametrize("point", ["create.after_call", "bind.after_commit", "put.after_call", "settle.before_commit"])
async def test_the_app_killed_in_a_step(point: str, settings: Settings, runner: RunnerProcess) -> None:
    order = Order(f"killed {point} {settings.database}", {"seconds": 1})
    async with open_runtime(settings) as runtime:
        account = await runtime.accounts.create("before")
        await grant(runtime, account.id, 1000)
        await runtime.catalog.schema("echo")
    killed = settings.model_copy(update={"kill_at": point})
    assert await asyncio.to_thread(run_until_killed, killed, account.id, order) == -9
    async with world(settings, runner) as here:
        mine = World(here.runtime, runner, account.id)
        async with here.runtime.database.read() as session:
            row = (await session.scalars(select(Generation))).one()
        ended = await mine.finish(row, 120)
        assert (ended.status, len(runner.predictions(order.text))) == ("completed", 1)
        assert await mine.balance() == (1000 - PRICE, 0, PRICE)
        assert await mine.audit() == []


@pytest.mark.slow
@pytest.mark.parametrize("wipe", [False, True], ids=["killed", "wiped"])
async def test_the_server_killed_in_the_middle(
    wipe: bool, settings: Settings, runner: RunnerProcess, server: InngestServer
) -> None:
    text = f"server {wipe} {settings.database}"
    async with world(settings, runner, webhooks=True) as here:
        rows = [await here.make(f"{text} {number}", seconds=8) for number in range(10)]
        for row in rows:
            await until(lambda row=row: in_phase(here, row, Phase.AWAIT))
        server.kill(wipe=wipe)
        await until(lambda: _ended(runner, text, 10))
        server.start()
        for row in rows:
            assert (await here.finish(row, 120)).status == "completed"
        assert len(runner.predictions(text)) == 10
        assert await here.balance() == (1000 - 10 * PRICE, 0, 10 * PRICE)
        assert await here.audit() == []


async def _ended(runner: RunnerProcess, text: str, count: int) -> bool:
    return [one["status"] for one in runner.predictions(text)].count("succeeded") == count


@pytest.mark.slow
async def test_caps_and_turns(settings: Settings, runner: RunnerProcess) -> None:
    """Never more in flight than may be, and who asks for little does not wait for who asks for much."""
    admission = settings.admission.model_copy(update={"max_in_flight": 6, "max_in_flight_per_account": 5})
    settings = settings.model_copy(update={"admission": admission})
    async with world(settings, runner, webhooks=True) as whale:
        other = await whale.runtime.accounts.create("small")
        await grant(whale.runtime, other.id, 10 * PRICE)
        large = [await whale.make(f"whale {settings.database} {n}", seconds=0.5) for n in range(40)]
        small = World(whale.runtime, runner, other.id)
        little = [await small.make(f"small {settings.database} {n}", seconds=0.5) for n in range(4)]
        most = asyncio.create_task(_most_in_flight(whale))
        for row in little:
            assert (await small.finish(row, 60)).status == "completed"
        open_ = [await whale.runtime.generations.get(whale.account_id, row.id) for row in large]
        assert sum(row.phase != Phase.DONE for row in open_) > 10, "the whale was not first"
        for row in large:
            assert (await whale.finish(row, 120)).status == "completed"
        most.cancel()
        with pytest.raises(asyncio.CancelledError):
            await most
        assert 0 < max(_seen) <= 6
        assert await whale.audit() == []


_seen: list[int] = []


async def _most_in_flight(here: World) -> None:
    while True:
        async with here.runtime.database.read() as session:
            query = select(func.count()).select_from(Generation).where(Generation.phase.in_(IN_FLIGHT))
            _seen.append(await session.scalar(query) or 0)
        await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_cron(settings: Settings, runner: RunnerProcess) -> None:
    """A lot expires without anybody asking, within the minute."""
    async with world(settings, runner) as here:
        async with here.runtime.database.write() as session:
            lot = (await session.scalars(select(CreditLot))).one()
            lot.expires_at = here.runtime.clock.now()

        async def swept() -> bool:
            async with here.runtime.database.read() as session:
                return (await session.scalars(select(CreditLot.remaining))).one() == 0

        await until(swept, 90)
        assert await here.audit() == []


async def test_signatures(settings: Settings, runner: RunnerProcess, server: InngestServer) -> None:
    if server.mode == "dev":
        pytest.skip("a development server signs nothing")
    async with world(settings, runner, webhooks=True) as here:
        await finished(here, f"signed {settings.database}")
        url = f"{here.runtime.settings.public_url}/api/inngest?fnId={settings.inngest.app_id}-generation&stepId=step"
        async with httpx.AsyncClient(trust_env=False) as http:
            for headers in ({}, {"x-inngest-signature": f"t=1700000000&s={'0' * 64}"}):
                answer = await http.post(url, content=json.dumps(_request()), headers=headers)
                assert answer.status_code == 401, answer.text


def _request() -> dict[str, Any]:
    event = {"name": "mutoscope/generation.requested", "data": {}, "id": "x", "ts": 0}
    context = {"attempt": 0, "disable_immediate_execution": False, "run_id": "r", "stack": {"stack": []}}
    return {"ctx": context, "event": event, "events": [event], "steps": {}, "use_api": False}


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_five_hundred(settings: Settings, runner: RunnerProcess, tmp_path: Path) -> None:
    limits = {"max_in_flight_per_account": 100, "creates_per_minute": 6000, "burst": 100}
    functions = settings.inngest.model_copy(update={"steps": 32, "steps_per_account": 32, "runs_per_minute": 6000})
    changes = {"admission": settings.admission.model_copy(update=limits), "inngest": functions}
    async with world(settings.model_copy(update=changes), runner, credits=MANY * PRICE, webhooks=True) as here:
        text = f"many {settings.database}"

        async def one(number: int) -> Generation:
            new = NewGeneration("echo", {"text": f"{text} {number}"})
            return await here.runtime.generations.create(here.account_id, new)

        rows = await asyncio.gather(*(one(number) for number in range(MANY)))
        for row in rows:
            assert (await here.finish(row, 600)).status == "completed"
        assert len(runner.predictions(text)) == MANY
        assert await here.balance() == (0, 0, MANY * PRICE)
        assert await here.audit() == []


@pytest.mark.slow
async def test_a_connected_worker(settings: Settings, runner: RunnerProcess) -> None:
    """It makes the steps, and when it is told to stop it ends the one under way and takes no other."""
    runner.plan({"do": {"create_delay_s": 3}})
    async with open_runtime(settings) as runtime:
        account = await runtime.accounts.create("user-1")
        await grant(runtime, account.id, 1000)
        here = World(runtime, runner, account.id)
        text = f"connected {settings.database}"
        with connected_worker(settings) as process:
            row = await here.make(text, seconds=1)
            await until(lambda: in_phase(here, row, Phase.SUBMITTING), 60)
            process.terminate()
            await asyncio.to_thread(process.join, 30)
            assert process.exitcode == 0
        async with runtime.database.read() as session:
            (attempt,) = await attempts.of(session, row.id)
        assert (attempt.state, attempt.doubted_at) == ("bound", None), "the step under way was finished"
        with connected_worker(settings):
            ended = await here.finish(row, 120)
        assert (ended.status, len(runner.predictions(text))) == ("completed", 1)
        assert await here.audit() == []
