import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.hooks import Hooks
from mutoscope.runner.records import Live, Record
from mutoscope.runner.server import build_app
from tests.runner.harness import Client, Receiver, client, eventually, process, receiver, running, until
from tests.servers.http import serving


async def test_the_body_is_what_get_shows_and_the_signature_is_good(runner: Client, hook: Receiver) -> None:
    events = ["start", "completed"]
    created = await runner.start({"text": "ü"}, webhook=f"{hook.url}?ref=1", webhook_events_filter=events)
    await until(lambda: len(hook.good) == 2)
    assert hook.statuses() == ["processing", "succeeded"]
    assert hook.good[1] == await runner.get(created["id"])
    assert hook.good[1]["webhook"] == f"{hook.url}?ref=1"
    assert len(set(hook.ids)) == 2
    assert not hook.bad


async def test_only_the_events_of_the_filter_are_sent(runner: Client, hook: Receiver) -> None:
    await runner.run({}, webhook=hook.url, webhook_events_filter=["start"])
    await runner.run({}, webhook=hook.url, webhook_events_filter=[])
    await runner.run({}, webhook=hook.url, webhook_events_filter=["completed"])
    await until(lambda: len(hook.good) == 2)
    assert hook.statuses() == ["processing", "succeeded"]
    assert (await runner.stats())["webhooks"]["sent"] == 2


async def test_logs_are_sent_at_most_every_half_second(runner: Client, hook: Receiver) -> None:
    await runner.start({"seconds": 2}, webhook=hook.url, webhook_events_filter=["logs", "completed"])
    await until(lambda: "succeeded" in hook.statuses())
    updates = [one for one in hook.good if one["status"] == "processing"]
    assert 1 <= len(updates) <= 5
    assert [len(one["logs"]) for one in updates] == sorted({len(one["logs"]) for one in updates})


async def test_the_terminal_one_is_retried_until_it_is_taken(runner: Client, hook: Receiver) -> None:
    hook.answers = [500, 302, 410, 429, 204]
    await runner.run({}, webhook=hook.url, webhook_events_filter=["completed"])
    await until(lambda: len(hook.good) == 5)
    assert len(set(hook.ids)) == 1
    stats = await runner.stats()
    assert (stats["webhooks"]["sent"], stats["webhooks"]["delivered"], stats["webhooks"]["pending"]) == (5, 1, 0)


async def test_the_others_are_not_retried_and_redirects_not_followed(runner: Client, hook: Receiver) -> None:
    hook.answers = [302, 204]
    await runner.run({}, webhook=hook.url, webhook_events_filter=["start", "completed"])
    await until(lambda: len(hook.good) == 2)
    assert hook.statuses() == ["processing", "succeeded"]
    assert (await runner.stats())["webhooks"]["given_up"] == 1


async def test_it_is_given_up_in_the_end(runner: Client, hook: Receiver) -> None:
    hook.answers = [500] * 20
    await runner.run({}, webhook=hook.url, webhook_events_filter=["completed"])
    await until(lambda: len(hook.good) == 7)
    stats = await eventually(runner.stats, lambda stats: not stats["webhooks"]["pending"])
    assert (stats["webhooks"]["given_up"], len(hook.good)) == (1, 7)


async def test_a_receiver_that_hangs_delays_nobodys_prediction(tmp_path: Path) -> None:
    async with running(tmp_path, webhook_timeout_s=0.3) as runner, receiver(runner.secret) as hook:
        hook.hold = asyncio.Event()
        done = [await runner.run({}, webhook=hook.url) for _ in range(5)]
        assert all(one["status"] == "succeeded" for one in done)
        hook.hold.set()
        await until(lambda: len(set(hook.ids)) == 5)


async def test_a_receiver_that_is_slow_hears_of_the_end_before_it_has_answered(tmp_path: Path) -> None:
    async with running(tmp_path, webhook_timeout_s=60) as runner, receiver(runner.secret) as hook:
        hook.hold = asyncio.Event()
        await runner.run({}, webhook=hook.url, webhook_events_filter=["start", "completed"])
        await until(lambda: hook.statuses() == ["processing", "succeeded"], 30)
        hook.hold.set()


async def test_a_receiver_that_is_down_harms_nothing(runner: Client) -> None:
    assert (await runner.run({}, webhook="http://127.0.0.1:9/"))["status"] == "succeeded"


async def test_a_killed_runner_comes_back_fails_what_it_left_and_says_so(tmp_path: Path) -> None:
    async with receiver() as hook:
        async with process(tmp_path) as (first, child):
            hook.secret = first.secret
            done = await first.run({"text": "kept", "output": "file"})
            left = await first.start({"seconds": 60}, webhook=hook.url, webhook_events_filter=["completed"])
            hook.answers = [500] * 3
            owed = await first.start({}, webhook=hook.url, webhook_events_filter=["completed"])
            await until(lambda: len(hook.good) >= 1)
            child.kill()
            await child.wait()
        hook.answers = []
        async with process(tmp_path) as (second, _):
            assert second.secret == first.secret
            interrupted = await second.get(left["id"])
            assert interrupted["status"] == "failed"
            assert interrupted["error"] == "Prediction interrupted; please retry (code: PA)"
            kept = await second.get(done["id"])
            assert kept["status"] == "succeeded"
            assert (await second.http.get(kept["output"])).status_code == 200
            listed = (await second.http.get("/v1/predictions")).json()["results"]
            assert {one["id"] for one in listed} == {done["id"], left["id"], owed["id"]}
            await until(lambda: {one["id"] for one in hook.good} == {left["id"], owed["id"]})
            await until(lambda: [one["status"] for one in hook.good if one["id"] == left["id"]] == ["failed"])


async def test_under_a_server_of_ones_own_it_comes_back_too(tmp_path: Path) -> None:
    async with receiver() as hook:
        async with process(tmp_path) as (first, child):
            hook.secret = first.secret
            left = await first.start({"seconds": 60}, webhook=hook.url, webhook_events_filter=["completed"])
            child.kill()
            await child.wait()
        app = build_app(RunnerConfig(state_dir=tmp_path, public_url="https://runner.invalid"))
        async with app.router.lifespan_context(app), serving(app) as url, client(url, first.secret) as second:
            interrupted = await second.get(left["id"])
            assert interrupted["status"] == "failed"
            assert interrupted["urls"]["get"] == f"https://runner.invalid/v1/predictions/{left['id']}"
            await until(lambda: hook.good == [interrupted])


async def test_a_delivery_that_a_fault_of_ours_ends_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Here a secret that signs nothing, which a runner would not start with."""
    settled: list[str] = []
    hooks = Hooks("not a secret", retry_s=1, timeout_s=1, render=lambda _: {}, settled=settled.append)
    record = Record(
        id="one",
        folder="folder",
        model="mutoscope/echo",
        version="hidden",
        runs="hidden",
        created_at=datetime.now(UTC),
        input={},
        webhook="http://127.0.0.1:9/",
        events=frozenset({"completed"}),
    )
    hooks.send(Live(record), "completed")
    await until(lambda: not hooks.pending)
    (line,) = [one for one in caplog.records if one.name == "mutoscope.runner.hooks"]
    assert line.exc_info
    assert isinstance(line.exc_info[1], ConfigurationError)
    assert settled == [], "it is still owed"
    await hooks.aclose()
