"""Trainings make versions: once, the same for the same, and none when they do not end well."""

import json
from pathlib import Path
from typing import Any

import pytest

from mutoscope.replicate_protocol.trainings import Training
from tests.runner.harness import Client, Json, Receiver, eventually, process, running, until
from tests.runner.training import TEXT, ended, start_training, train

MODEL: Json = {"owner": "local", "name": "fox", "visibility": "private", "hardware": "cpu"}


@pytest.fixture
async def model(runner: Client) -> str:
    assert (await runner.http.post("/v1/models", json=MODEL)).status_code == 201
    return "local/fox"


async def test_a_training_makes_a_version_that_runs(runner: Client, model: str) -> None:
    answer = await start_training(runner, model)
    created = answer.json()
    assert (answer.status_code, created["status"], created["model"]) == (201, "starting", "mutoscope/scribe")
    assert created["urls"]["get"] == f"{runner.url}/v1/trainings/{created['id']}"
    assert "output" not in created
    done = Training.model_validate(await ended(runner, created["id"]))
    assert done.status == "succeeded"
    assert "not AI" in (done.logs or "")
    assert "100%|" in (done.logs or "")
    assert done.result is not None
    assert (await runner.http.get(done.result.weights or "")).json() == {"red": ["fox"] * 3, "fox": ["red"] * 2}
    prediction = await runner.run({"prompt": "red", "max_tokens": 4}, model=done.result.version or "")
    assert prediction["output"] == ["fox", " red", " fox", " red"]
    assert (prediction["model"], prediction["version"]) == (model, (done.result.version or "").partition(":")[2])
    latest = (await runner.http.get(f"/v1/models/{model}")).json()["latest_version"]
    assert latest["id"] == prediction["version"]


async def test_a_created_model_is_run_by_version_only(runner: Client, model: str) -> None:
    await train(runner, model)
    answer = await runner.create(model=model)
    assert answer.status_code == 422
    assert "not an official model" in answer.json()["detail"]


async def test_the_same_training_makes_the_same_version_once(runner: Client, model: str) -> None:
    versions = [(await train(runner, model))["output"]["version"] for _ in range(2)]
    other = await train(runner, model, input={"train_data": "data:text/plain,blue%20fox%20blue"})
    assert versions[0] == versions[1] != other["output"]["version"]
    listed = (await runner.http.get(f"/v1/models/{model}/versions")).json()["results"]
    assert [f"{model}:{one['id']}" for one in listed] == [other["output"]["version"], versions[0]]


@pytest.mark.parametrize(
    ("destination", "trained", "training_input", "status"),
    [
        ("local/none", "mutoscope/scribe", {"train_data": TEXT}, 422),
        ("mutoscope/echo", "mutoscope/scribe", {"train_data": TEXT}, 422),
        ("local/fox", "mutoscope/echo", {"train_data": TEXT}, 422),
        ("local/fox", "mutoscope/scribe", {}, 422),
        ("local/fox", "mutoscope/scribe", {"train_data": TEXT, "steps": 0}, 422),
    ],
)
async def test_what_cannot_be_trained_is_refused(
    runner: Client, model: str, destination: str, trained: str, training_input: Json, status: int
) -> None:
    answer = await start_training(runner, destination, trained, input=training_input)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert (await runner.http.get("/v1/trainings")).json()["results"] == []


async def test_a_version_that_is_not_there_is_404(runner: Client, model: str) -> None:
    for version in ("0" * 64, "nonsense"):
        path = f"/v1/models/mutoscope/scribe/versions/{version}/trainings"
        body = {"destination": model, "input": {"train_data": TEXT}}
        assert (await runner.http.post(path, json=body)).status_code == 404


async def test_a_training_that_fails_or_is_canceled_makes_nothing(runner: Client, model: str) -> None:
    failed = await train(runner, model, input={"train_data": "data:text/plain,one"})
    assert (failed["status"], failed["error"]) == ("failed", "The training text has fewer than two words.")
    running_one = (await start_training(runner, model, input={"train_data": TEXT, "seconds": 600})).json()
    canceled = (await runner.http.post(f"/v1/trainings/{running_one['id']}/cancel")).json()
    assert canceled["status"] == "canceled"
    assert (await runner.http.get(f"/v1/models/{model}/versions")).json()["results"] == []


async def test_a_destination_that_is_deleted_meanwhile_fails_the_training(runner: Client, model: str) -> None:
    created = (await start_training(runner, model, input={"train_data": TEXT, "seconds": 1})).json()
    assert (await runner.http.delete(f"/v1/models/{model}")).status_code == 204
    shown = await ended(runner, created["id"])
    assert (shown["status"], shown["error"]) == ("failed", "local/fox has been deleted meanwhile.")


async def test_trainings_and_predictions_are_not_mixed_up(runner: Client, model: str) -> None:
    training, prediction = await train(runner, model), await runner.run()
    assert (await runner.http.get(f"/v1/predictions/{training['id']}")).status_code == 404
    assert (await runner.http.get(f"/v1/trainings/{prediction['id']}")).status_code == 404
    listed: dict[str, Any] = {}
    for kind in ("predictions", "trainings"):
        listed[kind] = [one["id"] for one in (await runner.http.get(f"/v1/{kind}")).json()["results"]]
    assert listed == {"predictions": [prediction["id"]], "trainings": [training["id"]]}


async def test_webhooks_tell_of_a_training(runner: Client, model: str, hook: Receiver) -> None:
    done = await train(runner, model, webhook=hook.url, webhook_events_filter=["start", "completed"])
    await until(lambda: len(hook.good) == 2)
    assert hook.statuses() == ["processing", "succeeded"]
    assert hook.good[1] == done


async def test_a_killed_runner_fails_its_training_and_keeps_what_others_made(tmp_path: Path) -> None:
    async with process(tmp_path) as (runner, child):
        await runner.http.post("/v1/models", json=MODEL)
        done = await train(runner, "local/fox")
        cut = (await start_training(runner, "local/fox", input={"train_data": TEXT, "seconds": 600})).json()

        async def shown() -> Json:
            return (await runner.http.get(f"/v1/trainings/{cut['id']}")).json()

        await eventually(shown, lambda training: training["status"] == "processing")
        child.kill()
        await child.wait()
    async with running(tmp_path) as runner:
        again = (await runner.http.get(f"/v1/trainings/{cut['id']}")).json()
        assert (again["status"], again["error"]) == ("failed", "Prediction interrupted; please retry (code: PA)")
        listed = (await runner.http.get("/v1/models/local/fox/versions")).json()["results"]
        assert [f"local/fox:{one['id']}" for one in listed] == [done["output"]["version"]]


async def test_trainings_outlive_the_retention(tmp_path: Path) -> None:
    async with running(tmp_path, retention_s=0.3) as runner:
        await runner.http.post("/v1/models", json=MODEL)
        training = await train(runner, "local/fox")
        prediction = await runner.run()
        await eventually(lambda: runner.get(prediction["id"]), lambda shown: shown["data_removed"])
        assert (await ended(runner, training["id"])) == training
        assert json.loads((await runner.http.get(training["output"]["weights"])).text)
