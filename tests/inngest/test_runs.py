"""Runs that are lost, doubled, late, cancelled or failed: the row ends all the same, once, and with the right money."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mutoscope.core.settings import Settings
from mutoscope.engines.inngest.functions import REQUESTED, SIGNALED
from mutoscope.generations import attempts
from tests.inngest.standin import Run, StandIn, standin
from tests.inngest.test_pipeline import completed, money_steps
from tests.world import RunnerProcess, World, settings_for, until, world


async def good(here: World, server: StandIn, text: str, **inputs: Any) -> Run:
    """A generation that ends well, once; and its first run."""
    row = await here.finish(await here.make(text, **inputs), 60)
    assert (row.status, len(here.runner.predictions(text))) == ("completed", 1)
    assert await here.balance() == (997, 0, 3)
    assert await here.audit() == []
    return server.runs_of("generation", row.id)[0]


async def test_a_webhook_wakes_the_run_that_waits(settings: Settings, runner: RunnerProcess, server: StandIn) -> None:
    """Polling would take 15 seconds at least."""
    async with world(settings, runner, webhooks=True) as here:
        run = await good(here, server, f"webhook {settings.database}", seconds=3)
        await until(lambda: completed(run))
        assert money_steps(run) == ["submit", "store", "settle"]
        (signal,) = server.runs_of("signal", run.event["data"]["generation_id"])
        await until(lambda: completed(signal))
        assert money_steps(signal) == ["yield", "signal"]


async def test_a_webhook_that_is_early_is_not_lost(settings: Settings, runner: RunnerProcess, server: StandIn) -> None:
    runner.plan({"do": {"create_delay_s": 1.5}})
    async with world(settings, runner, webhooks=True) as here:
        await good(here, server, f"early {settings.database}")


async def test_a_signal_that_the_run_missed_is_acted_on(
    settings: Settings, runner: RunnerProcess, server: StandIn
) -> None:
    """The event comes between a step and the wait after it, where no server would give it to the run."""
    async with world(settings, runner, webhooks=True) as here:
        server.misses_waits = True
        run = await good(here, server, f"missed {settings.database}", seconds=1)
        (signal,) = server.runs_of("signal", run.event["data"]["generation_id"])
        assert "settle" in signal.done


async def test_what_was_never_begun_is_asked_for_again(
    settings: Settings, runner: RunnerProcess, server: StandIn
) -> None:
    async with world(settings, runner) as here:
        server.deaf.add(REQUESTED)
        row = await here.make(f"lost {settings.database}")
        await until(lambda: _asked(server, 2))
        server.deaf.clear()
        assert (await here.finish(row, 60)).status == "completed"
        assert await here.audit() == []


async def _asked(server: StandIn, times: int) -> bool:
    return server.refused.count(REQUESTED) >= times


async def test_a_server_that_forgets_everything_loses_nothing(
    settings: Settings, runner: RunnerProcess, server: StandIn
) -> None:
    text = f"forgotten {settings.database}"
    async with world(settings, runner) as here:
        row = await here.make(text, seconds=2)
        await until(lambda: _submitted(server, row.id))
        await server.forget()
        ended = await here.finish(row, 60)
        assert (ended.status, len(runner.predictions(text))) == ("completed", 1)
        assert server.functions, "they were announced again"
        assert await here.balance() == (997, 0, 3)
        assert await here.audit() == []


async def _submitted(server: StandIn, generation_id: str) -> bool:
    return any("submit" in one.done for one in server.runs_of("generation", generation_id))


async def test_every_request_three_times_at_once(settings: Settings, runner: RunnerProcess, server: StandIn) -> None:
    server.times = 3
    async with world(settings, runner) as here:
        await good(here, server, f"thrice {settings.database}", seconds=1)


async def test_two_runs_of_one_generation_are_one_too_many(
    settings: Settings, runner: RunnerProcess, server: StandIn
) -> None:
    async with world(settings, runner) as here:
        row = await here.make(f"two {settings.database}", seconds=4)
        await until(lambda: _submitted(server, row.id))
        (first,) = server.runs_of("generation", row.id)
        data = {**first.event["data"], "lease": 0, "run": first.event["data"]["run"] + 50}
        server.send({"id": "again", "name": REQUESTED, "data": data, "ts": 0})
        assert (await here.finish(row)).status == "completed"
        _, second = server.runs_of("generation", row.id)
        await until(lambda: completed(second))
        await until(lambda: completed(first))
        assert sorted(one for one in first.done + second.done if one in ("store", "settle")) == ["settle", "store"]
        assert await here.audit() == []


async def test_a_run_cancelled_by_hand_cancels_its_generation(
    settings: Settings, runner: RunnerProcess, server: StandIn
) -> None:
    async with world(settings, runner) as here:
        row = await here.make(f"by hand {settings.database}", seconds=600)
        await until(lambda: _submitted(server, row.id))
        server.cancel(server.runs_of("generation", row.id)[0])
        ended = await here.finish(row)
        assert (ended.status, await here.balance()) == ("canceled", (1000, 0, 0))
        assert await here.audit() == []


async def test_a_user_cancels(settings: Settings, runner: RunnerProcess, server: StandIn) -> None:
    async with world(settings, runner) as here:
        row = await here.make(f"user {settings.database}", seconds=600)
        await until(lambda: _submitted(server, row.id))
        await here.runtime.generations.cancel(here.account_id, row.id)
        assert (await here.finish(row)).status == "canceled"
        assert await here.balance() == (1000, 0, 0)


async def test_a_run_that_failed_is_followed_by_another(
    settings: Settings, runner: RunnerProcess, server: StandIn
) -> None:
    async with world(settings, runner) as here:
        row = await here.make(f"failed {settings.database}", seconds=1.5)
        await until(lambda: _submitted(server, row.id))
        run = server.runs_of("generation", row.id)[0]
        server.fail(run)
        assert (await here.finish(row)).status == "completed"
        assert await here.audit() == []


async def test_a_server_that_is_down_delays(settings: Settings, runner: RunnerProcess, server: StandIn) -> None:
    server.down = True
    async with world(settings, runner) as here:
        row = await here.make(f"down {settings.database}")
        await asyncio.sleep(0)
        server.down = False
        assert (await here.finish(row, 60)).status == "completed"


async def test_chores_are_done_by_cron(settings: Settings, runner: RunnerProcess, server: StandIn) -> None:
    async with world(settings, runner):
        await until(lambda: _known(server))
        server.tick()
        (run,) = server.runs_of("expire-lots")
        await until(lambda: completed(run))
        assert run.done == ["expire-lots"]


async def _known(server: StandIn) -> bool:
    return bool(server.functions)


async def test_signatures_are_required(database_url: str, tmp_path: Path, runner: RunnerProcess) -> None:
    key = "signkey-test-" + "ab" * 16
    async with standin(signing_key=key) as server:
        settings = settings_for(
            database_url,
            tmp_path,
            runner,
            engine={"kind": "inngest", "lease_s": 3, "sweep_s": 0.2},
            inngest_base_url=server.url,
            inngest_event_key="event-key",
            inngest_signing_key=key,
        )
        async with world(settings, runner) as here:
            run = await good(here, server, f"signed {settings.database}")
            url = run.function["steps"]["step"]["runtime"]["url"]
            for signature in ("none", "t=1&s=00", f"t=1700000000&s={'0' * 64}"):
                answer = await server.post(url, b'{"steps": {}}', signature=signature)
                assert answer.status_code == 401, answer.text
            assert await here.audit() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"event": 1}'])
async def test_what_is_no_request_is_refused(
    body: bytes, settings: Settings, runner: RunnerProcess, server: StandIn
) -> None:
    async with world(settings, runner) as here:
        run = await good(here, server, f"body {body.hex()} {settings.database}")
        url = run.function["steps"]["step"]["runtime"]["url"]
        assert (await server.post(url, body)).status_code in {400, 500}
        assert (await server.post(url.replace("generation", "nobody"), b"{}")).status_code in {400, 404, 500}
        assert await here.audit() == []


def test_the_names_of_events_are_for_good() -> None:
    """Runs under way during a deploy wait for them."""
    assert (REQUESTED, SIGNALED) == ("mutoscope/generation.requested", "mutoscope/generation.signaled")


async def test_a_step_that_takes_long_is_not_taken_from_who_is_at_it(
    settings: Settings, runner: RunnerProcess, server: StandIn
) -> None:
    """Whoever finds a row held learns of the lease, and must not use it: a second create is a second prediction."""
    runner.plan({"do": {"create_delay_s": 3}})
    async with world(settings, runner) as here:
        row = await here.make(f"long {settings.database}", seconds=0.5)
        await until(lambda: _runs(server, row.id))
        (first,) = server.runs_of("generation", row.id)
        for number in (50, 51):
            data = {**first.event["data"], "lease": 0, "run": first.event["data"]["run"] + number}
            server.send({"id": f"again {number}", "name": REQUESTED, "data": data, "ts": 0})
        assert (await here.finish(row)).status == "completed"
        async with here.runtime.database.read() as session:
            (attempt,) = await attempts.of(session, row.id)
        assert (attempt.number, attempt.doubted_at) == (1, None)
        assert await here.audit() == []


async def _runs(server: StandIn, generation_id: str) -> bool:
    return bool(server.runs_of("generation", generation_id))


async def test_a_run_of_many_turns_is_followed_by_another(
    settings: Settings, runner: RunnerProcess, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inngest ends a run after a thousand steps."""
    monkeypatch.setattr("mutoscope.engines.inngest.functions.MAX_TURNS", 3)
    async with world(settings, runner) as here:
        row = await here.finish(await here.make(f"many turns {settings.database}", seconds=4))
        assert row.status == "completed"
        runs = server.runs_of("generation", row.id)
        assert len(runs) > 1
        for run in runs:
            await until(lambda run=run: completed(run))
        made = [one for run in runs for one in money_steps(run)]
        assert [one for one in made if one not in ("go-on", "await")] == ["submit", "store", "settle"]
        assert await here.audit() == []
