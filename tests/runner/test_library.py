"""Models, versions and deployments that clients create, change and delete; and who may not."""

from pathlib import Path
from typing import Any

import pytest

from tests.runner.harness import Client, Json, running
from tests.runner.training import train

NEW: Json = {"owner": "local", "name": "mine", "visibility": "private", "hardware": "cpu"}


async def create_model(runner: Client, **changes: Any) -> Json:
    answer = await runner.http.post("/v1/models", json={**NEW, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_model_is_created_changed_and_deleted(runner: Client) -> None:
    created = await create_model(runner, description="one")
    assert (created["latest_version"], created["is_official"], created["visibility"]) == (None, False, "private")
    assert (await runner.http.get("/v1/models/local/mine")).json() == created
    assert (await runner.http.get("/v1/models")).json()["results"][0] == created
    assert (await runner.http.get("/v1/models/local/mine/readme")).status_code == 404
    change = {"description": "two", "readme": "# Two", "weights_url": "http://w/"}
    changed = (await runner.http.patch("/v1/models/local/mine", json=change)).json()
    assert changed == {**created, "description": "two"}
    assert (await runner.http.get("/v1/models/local/mine/readme")).text == "# Two"
    assert (await runner.http.get("/v1/models/local/mine/versions")).json()["results"] == []
    assert (await runner.http.delete("/v1/models/local/mine")).status_code == 204
    assert (await runner.http.get("/v1/models/local/mine")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"owner": "mutoscope"}, 403),
        ({"hardware": "gpu-h100"}, 422),
        ({"visibility": "secret"}, 422),
        ({"name": "no/slash"}, 422),
        ({"name": "a:b"}, 422),
        ({"name": ""}, 422),
        ({"name": "taken"}, 409),
    ],
)
async def test_a_model_that_cannot_be_is_refused(runner: Client, changes: Json, status: int) -> None:
    await create_model(runner, name="taken")
    answer = await runner.http.post("/v1/models", json={**NEW, **changes})
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert len((await runner.http.get("/v1/models")).json()["results"]) == 6


async def test_what_comes_with_the_runner_or_is_public_is_not_deleted(runner: Client) -> None:
    await create_model(runner, visibility="public")
    echo = (await runner.http.get("/v1/models/mutoscope/echo")).json()
    assert (await runner.http.patch("/v1/models/mutoscope/echo", json={"readme": "x"})).status_code == 403
    version = f"/v1/models/mutoscope/echo/versions/{echo['latest_version']['id']}"
    for path in ("/v1/models/mutoscope/echo", version, "/v1/models/local/mine", "/v1/deployments/mutoscope/echo"):
        assert (await runner.http.delete(path)).status_code == 403, path
    assert (await runner.http.delete("/v1/models/local/none")).status_code == 404
    assert (await runner.http.get("/v1/models/mutoscope/echo")).json() == echo


async def test_models_can_be_sorted_and_paged(runner: Client) -> None:
    for index in range(101):
        await create_model(runner, name=f"m{index}")
    first = (
        await runner.http.get("/v1/models", params={"sort_by": "model_created_at", "sort_direction": "asc"})
    ).json()
    second = (await runner.http.get(first["next"])).json()
    names = [one["name"] for one in first["results"] + second["results"]]
    assert (len(first["results"]), second["next"], len(set(names))) == (100, None, 106)
    assert names[5:] == [f"m{index}" for index in range(101)]
    latest = (await runner.http.get("/v1/models", params={"sort_by": "latest_version_created_at"})).json()["results"]
    assert all(one["latest_version"] for one in latest[:5])
    assert (await runner.http.get("/v1/models", params={"sort_by": "name"})).status_code == 422
    assert (await runner.http.get("/v1/models", params={"cursor": "x"})).status_code == 422


async def test_runs_are_counted_also_over_a_restart(tmp_path: Path) -> None:
    for count in (1, 2):
        async with running(tmp_path) as runner:
            await runner.run()
            assert (await runner.http.get("/v1/models/mutoscope/echo")).json()["run_count"] == count


async def test_a_version_is_deleted_with_its_predictions_when_nothing_uses_it(runner: Client, tmp_path: Path) -> None:
    await create_model(runner)
    version = (await train(runner, "local/mine"))["output"]["version"].partition(":")[2]
    path = f"/v1/models/local/mine/versions/{version}"
    assert (await runner.http.get(path)).json()["id"] == version
    done = await runner.run({"prompt": "a"}, model=version)
    other = await runner.run()
    body = {"name": "d", "model": "local/mine", "version": version, "hardware": "cpu"}
    deployment = await runner.http.post("/v1/deployments", json={**body, "min_instances": 0, "max_instances": 1})
    assert deployment.status_code == 200
    assert (await runner.http.delete("/v1/models/local/mine")).status_code == 409
    assert (await runner.http.delete(path)).status_code == 409
    assert (await runner.http.delete("/v1/deployments/local/d")).status_code == 204
    runs = await runner.start({"max_tokens": 1000, "tokens_per_second": 1}, model=version)
    assert (await runner.http.delete(path)).status_code == 409
    await runner.http.post(f"/v1/predictions/{runs['id']}/cancel")
    assert (await runner.http.delete(path)).status_code == 202
    assert (await runner.http.get(path)).status_code == 404
    assert (await runner.http.get(f"/v1/predictions/{done['id']}")).status_code == 404
    assert await runner.get(other["id"]) == other
    assert (await runner.create(model=version)).status_code == 422
    assert (await runner.http.delete("/v1/models/local/mine")).status_code == 204


async def test_a_deployment_is_created_released_anew_and_deleted(runner: Client) -> None:
    version = (await runner.http.get("/v1/models/mutoscope/echo")).json()["latest_version"]["id"]
    body = {"name": "app", "model": "mutoscope/echo", "version": version, "hardware": "cpu"}
    created = (await runner.http.post("/v1/deployments", json={**body, "min_instances": 0, "max_instances": 3})).json()
    assert (created["owner"], created["name"], created["current_release"]["number"]) == ("local", "app", 1)
    assert (await runner.http.get("/v1/deployments")).json()["results"][0] == created
    changed = (await runner.http.patch("/v1/deployments/local/app", json={"min_instances": 2})).json()
    release = changed["current_release"]
    assert (release["number"], release["version"]) == (2, version)
    assert release["configuration"] == {"hardware": "cpu", "min_instances": 2, "max_instances": 3}
    answer = await runner.http.post("/v1/deployments/local/app/predictions", json={"input": {"text": "x"}})
    done = await runner.reach(answer.json()["id"], {"succeeded"})
    assert (done["deployment"], done["model"], done["output"]) == ("local/app", "mutoscope/echo", "x")
    assert (await runner.http.delete("/v1/deployments/local/app")).status_code == 204
    assert (await runner.http.get("/v1/deployments/local/app")).status_code == 404
    refused = await runner.http.post("/v1/deployments/local/app/predictions", json={"input": {}})
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"version": "0" * 64}, 422),
        ({"model": "mutoscope/painter"}, 422),
        ({"hardware": "gpu"}, 422),
        ({"min_instances": 6}, 422),
        ({"min_instances": 3, "max_instances": 2}, 422),
        ({"name": "a b"}, 422),
        ({"name": "taken"}, 409),
    ],
)
async def test_a_deployment_that_cannot_be_is_refused(runner: Client, changes: Json, status: int) -> None:
    version = (await runner.http.get("/v1/models/mutoscope/echo")).json()["latest_version"]["id"]
    body = {"name": "taken", "model": "mutoscope/echo", "version": version, "hardware": "cpu"}
    body |= {"min_instances": 0, "max_instances": 1}
    assert (await runner.http.post("/v1/deployments", json=body)).status_code == 200
    answer = await runner.http.post("/v1/deployments", json={**body, "name": "other", **changes})
    assert (answer.status_code, answer.json()["status"]) == (status, status)


async def test_what_clients_made_outlives_the_process(tmp_path: Path) -> None:
    async with running(tmp_path) as runner:
        await create_model(runner)
        await train(runner, "local/mine")
        before = [(await runner.http.get(path)).json() for path in ("/v1/models/local/mine", "/v1/trainings")]
    async with running(tmp_path) as runner:
        model, trainings = [(await runner.http.get(path)).json() for path in ("/v1/models/local/mine", "/v1/trainings")]
        assert model["latest_version"] == before[0]["latest_version"]
        assert [one["output"]["version"] for one in trainings["results"]] == [
            f"local/mine:{model['latest_version']['id']}"
        ]
        assert (await runner.run(model=model["latest_version"]["id"]))["status"] == "succeeded"
