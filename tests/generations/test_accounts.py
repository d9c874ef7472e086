"""Several provider accounts: each generation stays with its own, in its rate, with its secret."""

from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from mutoscope.core.errors import ConfigurationError
from mutoscope.core.settings import load_settings
from mutoscope.generations.models import Generation, ProviderBudget
from mutoscope.generations.placement import Placement
from mutoscope.generations.service import NewGeneration
from mutoscope.replicate_protocol.webhooks import new_webhook_secret, sign
from tests.world import PRICE, RunnerProcess, World, echo, settings_for, until, world

EU = {"api_tokens": ["test"], "admission": {"creates_per_minute": 1200, "burst": 50}}


@pytest.fixture(params=["webhook", "poll"])
async def here(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, runner: RunnerProcess
) -> AsyncGenerator[World]:
    models = {"echo": echo(), "near": echo(accounts=["eu"])}
    accounts = {"eu": EU | {"webhook_secret": runner.secret}}
    settings = settings_for(database_url, tmp_path, runner, models=models, replicate_accounts=accounts)
    async with world(settings, runner, webhooks=request.param == "webhook") as one:
        yield one


async def test_each_takes_its_share_and_keeps_what_it_was_given(here: World, runner: RunnerProcess) -> None:
    rows = [await here.make(f"number {n}", seconds=0.2) for n in range(6)]
    ended = [await here.finish(row) for row in rows]
    assert {row.status for row in ended} == {"completed"}
    assert Counter(row.provider for row in ended) == {"eu": 4, "replicate": 2}
    assert [row.provider for row in ended] == [row.provider for row in rows]
    async with here.runtime.database.read() as session:
        budgets = (await session.scalars(select(ProviderBudget.provider))).all()
    assert set(budgets) == {"eu", "replicate"}
    if here.runtime.settings.public_url:
        for row in ended:
            url = f"{runner.url}/v1/predictions/{row.prediction_id}"
            async with httpx.AsyncClient(headers={"Authorization": "Bearer test"}) as http:
                webhook = (await http.get(url)).json()["webhook"]
            assert f"/callbacks/{row.provider}?" in webhook
    assert await here.audit() == []


async def test_a_model_may_name_its_accounts(here: World) -> None:
    rows = [await here.runtime.generations.create(here.account_id, NewGeneration("near", {})) for _ in range(3)]
    assert {(await here.finish(row)).provider for row in rows} == {"eu"}


async def test_a_closed_door_of_one_holds_up_no_other(here: World, runner: RunnerProcess) -> None:
    runner.plan({"do": {"create_429": 60}, "when": {"input": "held up"}, "count": 1})
    held_up = await here.make("held up")
    await until(lambda: _refused(here, held_up))
    free = [await here.make(f"free {n}") for n in range(6)]
    others = [row for row in free if row.provider != held_up.provider]
    assert others
    for row in others:
        assert (await here.finish(row)).status == "completed"


async def _refused(here: World, row: Generation) -> bool:
    return (await here.runtime.generations.get(here.account_id, row.id)).attempt == 1


@pytest.mark.parametrize(
    ("accounts", "models"),
    [
        ({"replicate": EU}, {}),
        ({"EU": EU}, {}),
        ({"eu": {"api_tokens": []}}, {}),
        ({}, {"echo": echo(accounts=["us"])}),
        ({"eu": EU}, {"echo": echo(accounts=[])}),
    ],
)
def test_accounts_that_cannot_be_are_refused_at_start(accounts: Any, models: Any) -> None:
    with pytest.raises(ConfigurationError):
        load_settings(replicate_api_token="t", replicate_accounts=accounts, models=models)


def test_turns_are_taken_by_weight() -> None:
    placement = Placement({"a": 600, "b": 300, "c": 100})
    chosen = Counter(placement.choose(None) for _ in range(1000))
    assert chosen == {"a": 600, "b": 300, "c": 100}
    assert Counter(placement.choose(["b", "c"]) for _ in range(400)) == {"b": 300, "c": 100}
    assert placement.choose(["c"]) == "c"


async def test_a_webhook_signed_with_a_new_secret_is_believed_after_one_question(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    """The settings have the old secret; the runner has signed with another one ever since."""
    old, body = new_webhook_secret(), b'{"id": "p", "status": "succeeded", "created_at": "2026-01-01T00:00:00Z"}'
    settings = settings_for(database_url, tmp_path, runner, replicate_webhook_secret=old)
    async with world(settings, runner, webhooks=True) as here:
        row = await here.finish(await here.make("told by webhook", seconds=0.4))
        assert (row.status, row.charged_credits) == ("completed", PRICE)
        now = here.runtime.clock.now()
        stamp = int(now.timestamp())
        for secret in (runner.secret, old):
            signature = sign(secret, "m", stamp, body)
            headers = {"webhook-id": "m", "webhook-timestamp": str(stamp), "webhook-signature": signature}
            assert here.runtime.provider.read_webhook(headers, body, now=now).prediction.id == "p"
