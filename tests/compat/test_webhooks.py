"""Webhooks of predictions: which events, in which order, signed with the account's own secret, and never instead."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from mutoscope.replicate_protocol.webhooks import verify
from mutoscope.webhooks.models import WebhookDelivery
from tests.api.service import Person, Service, service
from tests.compat.door import Door, door
from tests.webhooks.receiver import Receiver, receiver
from tests.world import RunnerProcess, settings_for

EVERYTHING = ["start", "output", "logs", "completed"]


async def _told(here: Service) -> list[WebhookDelivery]:
    """All deliveries, once none is owed any more."""
    async with asyncio.timeout(30):
        while True:
            async with here.runtime.database.read() as session:
                found = list(await session.scalars(select(WebhookDelivery)))
            if all(one.state != "pending" for one in found):
                return found
            await asyncio.sleep(0.05)


async def test_all_events_in_order_signed_and_the_last_is_the_prediction(
    here: Service, anns: Door, bobs: Door, hook: Receiver
) -> None:
    created = await anns.start(
        output="file", seconds=2, body={"webhook": hook.url, "webhook_events_filter": EVERYTHING}
    )
    await anns.reach(created["id"])
    await hook.until(lambda: "succeeded" in hook.statuses())
    await _told(here)
    secret = (await anns.http.get("webhooks/default/secret")).json()["key"]
    assert secret != (await bobs.http.get("webhooks/default/secret")).json()["key"]
    for one in hook.taken:
        verify([secret], one.headers, one.body, now=datetime.now(UTC))
    assert hook.statuses()[-1] == "succeeded"
    assert set(hook.statuses()[:-1]) == {"processing"}
    start, *progress, end = (one.json() for one in hook.taken)
    assert (start["logs"], start["output"]) == ("", None)
    assert "completed_at" not in start
    assert 1 <= len(progress) <= 5, "two seconds have room for four, and the first"
    logs = [len(one["logs"]) for one in progress]
    assert logs == sorted(logs)
    assert end == await anns.get(created["id"])
    assert {one.headers["content-type"] for one in hook.taken} == {"application/json"}


@pytest.mark.parametrize(
    ("wanted", "inputs", "statuses"),
    [
        (None, {}, ["succeeded"]),
        (["completed"], {}, ["succeeded"]),
        (["output"], {}, ["succeeded"]),
        (["output"], {"fail": "no"}, []),
        (["start"], {}, ["processing"]),
        (["start", "completed"], {"fail": "no"}, ["processing", "failed"]),
        ([], {}, []),
    ],
)
async def test_only_what_was_asked_for_is_told(
    here: Service, anns: Door, hook: Receiver, wanted: list[str] | None, inputs: dict[str, str], statuses: list[str]
) -> None:
    body = {"webhook": hook.url} | ({} if wanted is None else {"webhook_events_filter": wanted})
    await anns.run(body=body, **inputs)
    await _told(here)
    assert hook.statuses() == statuses


async def test_who_asked_for_logs_alone_is_not_told_of_the_end(here: Service, anns: Door, hook: Receiver) -> None:
    body = {"webhook": hook.url, "webhook_events_filter": ["logs"]}
    running = await anns.start(seconds=2, fail="no", body=body)
    await hook.until(lambda: len(hook.taken) >= 1)
    assert (await anns.reach(running["id"]))["status"] == "failed"
    assert {one.event for one in await _told(here)} == {"progress"}


async def test_a_refused_or_canceled_prediction_is_told_of_too(here: Service, anns: Door, hook: Receiver) -> None:
    running = await anns.start(seconds=60, body={"webhook": hook.url, "webhook_events_filter": ["completed"]})
    await anns.http.post(f"predictions/{running['id']}/cancel")
    await anns.reach(running["id"])
    await hook.until(lambda: hook.statuses() == ["canceled"])
    assert (await anns.ask(path="models/a/b/predictions", body={"webhook": hook.url})).status_code == 422
    await _told(here)
    assert len(hook.taken) == 1


async def test_a_broken_receiver_changes_nothing_of_the_prediction(
    database_url: str, tmp_path: Path, runner: RunnerProcess, hook: Receiver
) -> None:
    settings = settings_for(
        database_url, tmp_path, runner, webhooks={"retry_s": 0.05, "max_attempts": 4, "timeout_s": 5}
    )
    async with service(settings, runner) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
        hook.answers.extend([500, "lost", 302])
        done = await anns.run(body={"webhook": hook.url, "webhook_events_filter": ["completed"]})
        assert done["status"] == "succeeded"
        (delivery,) = await _told(here)
        assert (delivery.state, delivery.attempts) == ("delivered", 4)
        assert {one.message_id for one in hook.taken} == {delivery.message_id}
        hook.usual = 500
        await anns.run(body={"webhook": hook.url, "webhook_events_filter": ["completed"]})
        given_up = next(one for one in await _told(here) if one.key != delivery.key)
        assert (given_up.state, given_up.attempts) == ("given_up", 4)
        assert await ann.credits() == (994, 0, 6)


async def test_in_production_only_the_internet_is_called(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    production = {"environment": "production", "secret": "0123456789abcdef0123456789abcdef"}
    async with receiver() as hook:
        port = hook.url.split(":")[2].split("/")[0]
        settings = settings_for(database_url, tmp_path, runner, **production)
        async with service(settings, runner) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
            for url in (
                hook.url,
                f"https://127.0.0.1:{port}/",
                "https://169.254.169.254/latest",
                "http://example.com/",
            ):
                answer = await anns.ask(body={"webhook": url})
                assert answer.status_code == 422, url
            assert (await anns.http.get("predictions")).json()["results"] == []
        assert hook.connections == 0


async def test_a_secret_that_was_replaced_still_proves_the_next_webhooks(
    here: Service, ann: Person, anns: Door, hook: Receiver
) -> None:
    old = (await anns.http.get("webhooks/default/secret")).json()["key"]
    new = await here.runtime.webhook_secrets.rotate(ann.account_id)
    assert (await anns.http.get("webhooks/default/secret")).json()["key"] == new
    await anns.run(body={"webhook": hook.url})
    await hook.until(lambda: len(hook.taken) == 1)
    (taken,) = hook.taken
    for secret in (old, new):
        verify([secret], taken.headers, taken.body, now=datetime.now(UTC))
