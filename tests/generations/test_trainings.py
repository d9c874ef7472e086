"""Trainings are generations: charged, durable, followed by webhook or poll, found in doubt, their weights stored."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mutoscope.core.errors import ConfigurationError, InvalidRequest
from mutoscope.core.ids import new_id
from mutoscope.generations.models import Generation
from mutoscope.generations.service import NewGeneration
from mutoscope.uploads.service import Description
from tests.storage.streams import collected, stream
from tests.world import AUTH, PRICE, RunnerProcess, World, settings_for, until, world

TEXT = "red fox red fox red fox "


@pytest.fixture
def destination(runner: RunnerProcess) -> str:
    """A model of ours to train into."""
    body = {"owner": "local", "name": new_id("fox").replace("_", "-"), "visibility": "private", "hardware": "cpu"}
    httpx.post(f"{runner.url}/v1/models", json=body, headers=AUTH).raise_for_status()
    return f"{body['owner']}/{body['name']}"


@pytest.fixture
def reference(runner: RunnerProcess) -> str:
    scribe = httpx.get(f"{runner.url}/v1/models/mutoscope/scribe", headers=AUTH).raise_for_status().json()
    return f"mutoscope/scribe:{scribe['latest_version']['id']}"


@pytest.fixture(params=["webhook", "poll"])
async def here(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, runner: RunnerProcess, reference: str
) -> AsyncGenerator[World]:
    training = {"reference": reference, "kind": "training", "price": {"per_run": PRICE}, "run_timeout_s": 60}
    models = {"tune": training, "scribe": {"reference": "mutoscope/scribe", "price": {"per_run": 1}}}
    settings = settings_for(database_url, tmp_path, runner, doubt_window_s=2, models=models)
    async with world(settings, runner, webhooks=request.param == "webhook") as one:
        yield one


async def data(here: World) -> str:
    async def describe() -> Description:
        return Description("data.txt")

    return (await here.runtime.uploads.create(here.account_id, stream(TEXT.encode() * 20_000), describe)).id


async def train(here: World, destination: str, **inputs: Any) -> Generation:
    values = {"train_data": await data(here), **inputs}
    new = NewGeneration("tune", values, destination=destination)
    return await here.runtime.generations.create(here.account_id, new)


def trainings(runner: RunnerProcess, destination: str) -> list[Any]:
    found = httpx.get(f"{runner.url}/v1/trainings", headers=AUTH).raise_for_status().json()["results"]
    return [one for one in found if destination in json.dumps(one)]


async def test_a_training_makes_a_version_and_its_weights_are_kept(here: World, destination: str) -> None:
    row = await here.finish(await train(here, destination, seconds=0.5))
    assert (row.status, row.kind, row.destination) == ("completed", "training", destination), row.failure_detail
    output: Any = row.output
    assert output["version"].startswith(f"{destination}:")
    assert output["weights"] == {"$file": 0}
    (file,) = (await here.runtime.generations.files([row.id]))[row.id]
    weights = json.loads(await collected(here.runtime.store.read(file.key)))
    assert set(weights) == {"red", "fox"}
    assert row.progress_percent == 100
    assert await here.balance() == (1000 - PRICE, 0, PRICE)
    assert await here.audit() == []


async def test_a_cancelled_training_ends_and_costs_nothing(here: World, destination: str) -> None:
    row = await train(here, destination, seconds=60)
    await until(lambda: _runs(here, row))
    await here.runtime.generations.cancel(here.account_id, row.id)
    ended = await here.finish(row)
    assert (ended.status, ended.failure_code) == ("canceled", "canceled_by_user")
    assert await here.balance() == (1000, 0, 0)


async def _runs(here: World, row: Generation) -> bool:
    return (await here.runtime.generations.get(here.account_id, row.id)).prediction_id is not None


async def test_a_failed_training_costs_nothing(here: World, destination: str) -> None:
    new = NewGeneration("tune", {"train_data": "data:text/plain,word"}, destination=destination)
    ended = await here.finish(await here.runtime.generations.create(here.account_id, new))
    assert (ended.status, ended.failure_code) == ("failed", "provider_failed")
    assert await here.balance() == (1000, 0, 0)


@pytest.mark.parametrize("fault", ["accept_then_drop", "refuse_then_drop", "accept_then_500"])
async def test_a_lost_answer_buys_no_second_training(
    here: World, runner: RunnerProcess, destination: str, fault: str
) -> None:
    runner.plan({"do": {fault: True}, "when": {"model": "mutoscope/scribe"}, "count": 1})
    row = await here.finish(await train(here, destination, seconds=0.2))
    assert row.status == "completed", row.failure_detail
    assert len(trainings(runner, destination)) == 1
    assert await here.audit() == []


@pytest.mark.parametrize(
    ("model", "destination"), [("tune", None), ("tune", "nowhere"), ("tune", "a/b:c"), ("scribe", "local/fox")]
)
async def test_a_training_and_nothing_else_has_a_destination(here: World, model: str, destination: str | None) -> None:
    with pytest.raises(InvalidRequest, match="destination"):
        await here.runtime.generations.create(here.account_id, NewGeneration(model, {}, destination=destination))
    assert await here.balance() == (1000, 0, 0)


async def test_the_input_is_that_of_the_training(here: World, destination: str) -> None:
    with pytest.raises(InvalidRequest, match="prompt"):
        await train(here, destination, prompt="this is for predictions")
    schema = await here.runtime.catalog.schema("tune")
    assert "train_data" in schema["components"]["schemas"]["Input"]["properties"]
    assert "prompt" in (await here.runtime.catalog.schema("scribe"))["components"]["schemas"]["Input"]["properties"]


async def test_another_destination_is_another_request(here: World, destination: str) -> None:
    values = {"train_data": "data:text/plain,red%20fox"}
    first = NewGeneration("tune", values, idempotency_key="k", destination=destination)
    made = await here.runtime.generations.create(here.account_id, first)
    assert (await here.runtime.generations.create(here.account_id, first)).id == made.id
    assert first.sha256() != NewGeneration("tune", values, destination="local/other").sha256()
    assert first.sha256() != NewGeneration("tune", values).sha256()


async def test_a_training_needs_a_version(database_url: str, tmp_path: Path, runner: RunnerProcess) -> None:
    models = {"tune": {"reference": "mutoscope/scribe", "kind": "training", "price": {"per_run": 1}}}
    with pytest.raises(ConfigurationError, match=r"models\.tune\.reference"):
        async with world(settings_for(database_url, tmp_path, runner, models=models), runner):
            pass
