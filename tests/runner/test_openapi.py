"""Every answer against Replicate's own OpenAPI document, where it is at hand; and nothing in it left out."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.replicate_protocol.document import Checker, Json, Operation, operations, read_document
from tests.runner.harness import Client, Receiver, running, until
from tests.runner.training import TEXT, ended, start_training

ABSENT: dict[Operation, str] = {}
"""What the document has and the runner does not serve, and why: there is nothing."""

MODEL: Json = {"owner": "local", "name": "mine", "visibility": "private", "hardware": "cpu"}
NONE = "0" * 64


@pytest.fixture
async def checker(runner: Client) -> AsyncIterator[Checker]:
    """Checks every answer that the client gets."""
    checker = Checker(read_document(), f"{runner.url}/v1")
    runner.http.event_hooks = {"response": [checker.check]}
    yield checker
    assert checker.seen


async def test_every_operation_is_served_and_answers_as_the_document_says(
    runner: Client, checker: Checker, hook: Receiver
) -> None:
    await read_everything(runner)
    await run_predictions(runner, hook)
    await train_and_deploy(runner)
    await keep_files(runner)
    served = {operation for operation, status in checker.seen if status < 400}
    assert not served & ABSENT.keys()
    assert served | ABSENT.keys() == operations(checker.document)


async def read_everything(runner: Client) -> None:
    echo = (await runner.http.get("/v1/models/mutoscope/echo")).json()
    paths = ["/account", "/hardware", "/webhooks/default/secret", "/collections", "/models", "/deployments"]
    paths += ["/collections/test-models", "/search?query=echo", "/deployments/mutoscope/echo"]
    paths += ["/models/mutoscope/echo/readme", "/models/mutoscope/echo/examples", "/models/mutoscope/echo/versions"]
    paths += [f"/models/mutoscope/echo/versions/{echo['latest_version']['id']}"]
    for path in paths:
        assert (await runner.http.get(f"/v1{path}")).is_success, path
    await runner.http.request("QUERY", "/v1/models", content="echo")


async def run_predictions(runner: Client, hook: Receiver) -> None:
    created = await runner.start({"seconds": 60}, webhook=hook.url, headers={"Cancel-After": "1h"})
    await runner.reach(created["id"], {"processing"})
    await runner.http.post(f"/v1/predictions/{created['id']}/cancel")
    for faults in ({}, {"fail": "no"}, {"abort": True}):
        await runner.run({"output": "json"}, faults=faults)
    await runner.run({"prompt": "the"}, model="mutoscope/scribe")
    await until(lambda: len(hook.good) == 1)
    assert hook.good[0] == await runner.get(created["id"])
    assert len((await runner.http.get("/v1/predictions")).json()["results"]) == 5
    for kind in ("models", "deployments"):
        path = f"/v1/{kind}/mutoscope/echo/predictions"
        assert (await runner.http.post(path, json={"input": {}}, headers={"Prefer": "wait"})).status_code == 201
        unfinished = {"input": {"seconds": 60}}
        assert (await runner.http.post(path, json=unfinished, headers={"Prefer": "wait=1"})).status_code == 202


async def train_and_deploy(runner: Client) -> None:
    await runner.http.post("/v1/models", json=MODEL)
    await runner.http.patch("/v1/models/local/mine", json={"description": "mine", "readme": "# Mine"})
    canceled = (await start_training(runner, "local/mine", input={"train_data": TEXT, "seconds": 60})).json()
    await runner.http.post(f"/v1/trainings/{canceled['id']}/cancel")
    training = await ended(runner, (await start_training(runner, "local/mine")).json()["id"])
    assert len((await runner.http.get("/v1/trainings")).json()["results"]) == 2
    version = training["output"]["version"].partition(":")[2]
    body = {"name": "app", "model": "local/mine", "version": version, "hardware": "cpu"}
    await runner.http.post("/v1/deployments", json={**body, "min_instances": 0, "max_instances": 1})
    await runner.http.patch("/v1/deployments/local/app", json={"max_instances": 2})
    await runner.http.get("/v1/models")
    for path in ("deployments/local/app", f"models/local/mine/versions/{version}", "models/local/mine"):
        assert (await runner.http.delete(f"/v1/{path}")).is_success, path


async def keep_files(runner: Client) -> None:
    uploaded = (await runner.http.post("/v1/files", files={"content": b"x"})).json()
    for url in ("/v1/files", uploaded["urls"]["get"], uploaded["urls"]["download"]):
        assert (await runner.http.get(url)).is_success, url
    assert (await runner.http.delete(uploaded["urls"]["get"])).is_success


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/collections/none", 404),
        ("GET", "/deployments/local/none", 404),
        ("PATCH", "/deployments/local/none", 404),
        ("DELETE", "/deployments/local/none", 404),
        ("DELETE", "/deployments/mutoscope/echo", 403),
        ("POST", "/deployments", 422),
        ("POST", "/deployments/local/none/predictions", 422),
        ("POST", "/files", 422),
        ("GET", "/files/none", 404),
        ("DELETE", "/files/none", 404),
        ("GET", "/files/none/download", 404),
        ("GET", "/models?cursor=x", 422),
        ("POST", "/models", 422),
        ("GET", "/models/local/none", 404),
        ("PATCH", "/models/mutoscope/echo", 403),
        ("DELETE", "/models/local/none", 404),
        ("GET", "/models/local/none/examples", 404),
        ("GET", "/models/local/none/readme", 404),
        ("GET", "/models/local/none/versions", 404),
        ("POST", "/models/mutoscope/none/predictions", 422),
        ("GET", f"/models/mutoscope/echo/versions/{NONE}", 404),
        ("DELETE", f"/models/local/none/versions/{NONE}", 404),
        ("POST", f"/models/mutoscope/scribe/versions/{NONE}/trainings", 404),
        ("GET", "/predictions?created_after=x", 422),
        ("POST", "/predictions", 422),
        ("GET", "/predictions/none", 404),
        ("POST", "/predictions/none/cancel", 404),
        ("GET", "/search", 400),
        ("GET", "/trainings?cursor=x", 422),
        ("GET", "/trainings/none", 404),
        ("POST", "/trainings/none/cancel", 404),
    ],
)
async def test_errors_are_as_the_document_or_as_replicate_shows_them(
    runner: Client, checker: Checker, method: str, path: str, status: int
) -> None:
    body = {"input": {}, "destination": "x"} if "models" in path or "predictions" in path or "none" in path else {}
    answer = await runner.http.request(method, f"/v1{path}", json=body if method in {"POST", "PATCH"} else None)
    assert answer.status_code == status, answer.text
    runner.http.headers.pop("authorization")
    if "download" not in path:
        assert (await runner.http.request(method, f"/v1{path}")).status_code == 401


@pytest.mark.parametrize("faults", [{"create_429": 3}, {"create_500": True}, {"create_503": True}])
async def test_refusals_are_errors_too(runner: Client, checker: Checker, faults: Json) -> None:
    answer = await runner.create(faults=faults)
    assert answer.status_code >= 429


async def test_what_is_too_much_is_an_error_too(tmp_path: Path) -> None:
    async with running(
        tmp_path, max_upload_bytes=10, max_body_bytes=10, request_limit={"per_minute": 1, "burst": 2}
    ) as runner:
        checker = Checker(read_document(), f"{runner.url}/v1")
        runner.http.event_hooks = {"response": [checker.check]}
        answers = [
            await runner.http.post("/v1/files", files={"content": b"x" * 80_000}),
            await runner.http.post("/v1/predictions", json={"version": "mutoscope/echo", "input": {}}),
            await runner.http.get("/v1/account"),
            await runner.http.get("/v1/account"),
        ]
        assert [one.status_code for one in answers] == [413, 413, 200, 429]
