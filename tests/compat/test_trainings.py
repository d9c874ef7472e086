"""Trainings through the front door: generations with their own price, in Replicate's shape, apart from predictions."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.service import Person, Service, service
from tests.compat.door import Door
from tests.compat.training import SCRIBE, ended, new_destination, train, tune, version_of
from tests.webhooks.receiver import Receiver
from tests.world import PRICE, RunnerProcess, settings_for


@pytest.fixture
def version(runner: RunnerProcess) -> str:
    return version_of(runner)


@pytest.fixture
def destination(runner: RunnerProcess) -> str:
    return new_destination(runner)


@pytest.fixture
async def here(database_url: str, tmp_path: Path, runner: RunnerProcess) -> AsyncIterator[Service]:
    settings = settings_for(
        database_url, tmp_path, runner, models={"tune": tune(runner)}, default_model={"price": {"per_run": 1}}
    )
    async with service(settings, runner, webhooks=True) as one:
        yield one


async def test_a_training_is_a_generation_with_its_own_price(
    here: Service, ann: Person, anns: Door, version: str, destination: str
) -> None:
    answer = await train(anns, version, destination, seconds=0.2)
    assert answer.status_code == 201, answer.text
    created = answer.json()
    assert (created["status"], created["model"], created["version"]) == ("starting", SCRIBE, version)
    assert "output" not in created
    assert answer.headers["location"] == created["urls"]["get"]
    assert created["urls"]["get"] == f"{here.url}/replicate/v1/trainings/{created['id']}"
    done = await ended(anns, created)
    assert (done["status"], done["error"]) == ("succeeded", None)
    assert done["output"]["version"].startswith(f"{destination}:")
    assert set((await anns.http.get(done["output"]["weights"])).json()) == {"red", "fox"}
    assert done["metrics"]["predict_time"] > 0
    same = (await ann.http.get(f"/v1/generations/{created['id']}")).json()
    assert (same["kind"], same["destination"]) == ("training", destination)
    assert await ann.credits() == (1000 - PRICE, 0, PRICE)


async def test_trainings_and_predictions_are_apart(anns: Door, ann: Person, version: str, destination: str) -> None:
    """A version may be trained at one price and run at another."""
    training = (await train(anns, version, destination, seconds=60)).json()
    body = {"version": f"{SCRIBE}:{version}", "input": {"prompt": "the", "max_tokens": 300, "tokens_per_second": 5}}
    prediction = (await anns.http.post("predictions", json=body)).json()
    assert await ann.credits() == (1000 - PRICE - 1, PRICE + 1, 0)
    for path, one, other in (("trainings", training, prediction), ("predictions", prediction, training)):
        assert [shown["id"] for shown in (await anns.http.get(path)).json()["results"]] == [one["id"]]
        assert (await anns.http.get(f"{path}/{other['id']}")).status_code == 404
        assert (await anns.http.post(f"{path}/{other['id']}/cancel")).status_code == 404
    for one in (training, prediction):
        assert (await anns.http.get(one["urls"]["get"])).json()["status"] in {"starting", "processing"}
        for _ in range(2):
            canceled = await anns.http.post(one["urls"]["cancel"])
            assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    assert await ann.credits() == (1000, 0, 0)


async def test_trainings_are_listed_in_pages(anns: Door, version: str, destination: str) -> None:
    made = [(await train(anns, version, destination, train_data="data:text/plain,a%20b%20a")).json() for _ in range(3)]
    listed = (await anns.http.get("trainings")).json()
    assert [one["id"] for one in listed["results"]] == [one["id"] for one in made[::-1]]
    rest = (await anns.http.get(f"trainings?cursor={made[2]['id']}")).json()
    assert [one["id"] for one in rest["results"]] == [made[1]["id"], made[0]["id"]]


async def test_the_webhook_shows_the_training(anns: Door, hook: Receiver, version: str, destination: str) -> None:
    wanted = {"webhook": hook.url, "webhook_events_filter": ["start", "completed"]}
    created = (await train(anns, version, destination, wanted, seconds=0.2)).json()
    await hook.until(lambda: len(hook.taken) == 2)
    start, end = (one.json() for one in hook.taken)
    assert (start["id"], start["status"]) == (created["id"], "processing")
    assert "output" not in start
    assert end == (await anns.http.get(created["urls"]["get"])).json()
    assert end["output"]["version"].startswith(destination)


async def test_the_default_price_is_for_predictions_only(
    here: Service, anns: Door, ann: Person, version: str, destination: str
) -> None:
    other = "0" * 64
    answer = await train(anns, other, destination)
    assert answer.status_code == 422
    assert f'reference = "{SCRIBE}:{other}" kind = "training"' in answer.json()["detail"]
    assert await ann.credits() == (1000, 0, 0)


async def test_what_is_wrong_is_refused_before_anything_is_held(
    anns: Door, ann: Person, version: str, destination: str
) -> None:
    for answer in (
        await train(anns, "latest", destination),
        await train(anns, version, "nowhere"),
        await train(anns, version, destination, prompt="this is for predictions"),
        await train(anns, version, destination, {"webhook": "ftp://example.com"}),
        await anns.http.post(f"models/{SCRIBE}/versions/{version}/trainings", json={"input": {}}),
    ):
        assert answer.status_code == 422, answer.text
    nowhere = (await train(anns, version, "nowhere")).json()["detail"]
    assert "owner/name of a model in the Replicate account that this service uses" in nowhere
    assert await ann.credits() == (1000, 0, 0)
    assert (await anns.http.get("trainings")).json()["results"] == []


async def test_the_same_key_buys_one_training(anns: Door, ann: Person, version: str, destination: str) -> None:
    anns.http.headers["Idempotency-Key"] = "once"
    made = [(await train(anns, version, destination, seconds=0.2)).json()["id"] for _ in range(2)]
    assert made[0] == made[1]
    assert (await train(anns, version, destination, seconds=0.3)).status_code == 409
    del anns.http.headers["Idempotency-Key"]
    await ended(anns, (await anns.http.get(f"trainings/{made[0]}")).json())
    assert await ann.credits() == (1000 - PRICE, 0, PRICE)
