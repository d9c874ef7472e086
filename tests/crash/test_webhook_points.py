"""kill -9 around everything that a webhook of ours passes: it comes all the same, under the same id, and in order."""

import asyncio
from collections.abc import AsyncIterator, Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from mutoscope.bootstrap import Runtime, open_runtime
from mutoscope.core.settings import Settings
from mutoscope.replicate_protocol.webhooks import verify
from mutoscope.webhooks.models import WebhookDelivery
from tests.crash.outcomes import OF_WEBHOOKS, OWES_MORE
from tests.crash.victim import Order, at_work, carry_out, run_until_killed
from tests.webhooks.receiver import Receiver, receiver
from tests.world import PRICE, RunnerProcess, World, driven_by, grant, runner_process, settings_for, until

# The first claim is for the start, the last one for the end.
POINTS = [
    *OF_WEBHOOKS,
    *OWES_MORE,
    "delivery_claim.after_commit@2",
    "post.after_call@2",
    "delivery_end.before_commit@2",
]


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("webhook-runner")) as server:
        yield server


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


@pytest.fixture
def settings(database_url: str, tmp_path: Path, runner: RunnerProcess, inngest_url: str | None) -> Settings:
    engine = {"lease_s": 1, "sweep_s": 0.1}
    # A lost claim is waited for as long as a post may take and a margin.
    webhooks = {"timeout_s": 1, "lease_margin_s": 1}
    return driven_by(inngest_url, settings_for(database_url, tmp_path, runner, engine=engine, webhooks=webhooks))


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
async def test_no_webhook_is_lost(point: str, settings: Settings, runner: RunnerProcess, hook: Receiver) -> None:
    order = Order(f"webhook {point} {settings.database}", {"seconds": 2}, webhook=hook.url)
    async with open_runtime(settings) as runtime:
        account_id = (await runtime.accounts.create("user-1")).id
        await grant(runtime, account_id, 100)
        await runtime.catalog.schema("echo")

    assert await _killed(settings, account_id, order, point) == -9

    async with at_work(settings) as runtime:
        row = await carry_out(runtime, account_id, order)
        assert row.status == "completed"
        owed = await until(lambda: _all_told(runtime))
        assert [one.state for one in owed if one.event != "progress"] == ["delivered", "delivered"]
        told = {one.event: one.message_id for one in owed}
        secret = await runtime.webhook_secrets.current(account_id)
        here = World(runtime, runner, account_id)
        assert await here.balance() == (100 - PRICE, 0, PRICE)
        assert await here.audit() == []
    for one in hook.taken:
        verify([secret], one.headers, one.body, now=datetime.now(UTC))
    ends = [one for one in hook.taken if one.json()["status"] == "succeeded"]
    assert {one.message_id for one in ends} == {told["completed"]}
    assert told["start"] in {one.message_id for one in hook.taken}
    assert hook.statuses()[-1] == "succeeded"
    assert len(ends) <= 2, "one more for the kill, not one for every sweep"


async def _killed(settings: Settings, account_id: str, order: Order, point: str) -> int | None:
    """In a thread, because the receiver lives on this loop."""
    victim = settings.model_copy(update={"kill_at": point})
    return await asyncio.to_thread(run_until_killed, victim, account_id, order)


async def _all_told(runtime: Runtime) -> list[WebhookDelivery] | None:
    async with runtime.database.read() as session:
        found = list(await session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.created_at)))
    return found if all(one.state != "pending" for one in found) else None
