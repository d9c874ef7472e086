"""Every answer of the front door, errors too, against Replicate's own document; and nothing in it unaccounted for."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.service import Person, Service, service
from tests.compat.door import Door, door
from tests.compat.training import SCRIBE, ended, new_destination, train, tune, version_of
from tests.replicate_protocol.document import Checker, Operation, operations, read_document
from tests.webhooks.receiver import Receiver
from tests.world import RunnerProcess, echo, settings_for

MODEL, DEPLOYMENT = "/models/{model_owner}/{model_name}", "/deployments/{deployment_owner}/{deployment_name}"
OPERATORS = "the provider's account is the operator's, and is only read"
ABSENT: dict[Operation, str] = {
    ("post", "/models"): OPERATORS,
    ("patch", MODEL): OPERATORS,
    ("delete", MODEL): OPERATORS,
    ("delete", f"{MODEL}/versions/{{version_id}}"): OPERATORS,
    ("post", "/deployments"): OPERATORS,
    ("patch", DEPLOYMENT): OPERATORS,
    ("delete", DEPLOYMENT): OPERATORS,
}
"""What the document has and the front door does not serve, and why; docs/compatibility.md says the same."""

ECHO = "models/mutoscope/echo"


@pytest.fixture
async def here(database_url: str, tmp_path: Path, runner: RunnerProcess) -> AsyncIterator[Service]:
    models = {"echo": echo(), "deployed": echo(reference="deployments/mutoscope/echo")}
    models |= {"scribe": {"reference": SCRIBE, "price": {"per_run": 1}}, "tune": tune(runner)}
    settings = settings_for(database_url, tmp_path, runner, models=models)
    async with service(settings, runner, webhooks=True) as one:
        yield one


@pytest.fixture
async def checker(here: Service, anns: Door) -> AsyncIterator[Checker]:
    """Checks every answer that Ann gets."""
    checker = Checker(read_document(), f"{here.url}/replicate/v1")
    anns.http.event_hooks = {"response": [checker.check]}
    yield checker
    assert checker.seen


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_operation_is_served_or_refused_as_the_document_says(
    runner: RunnerProcess, anns: Door, checker: Checker, hook: Receiver
) -> None:
    await read_everything(anns)
    await run_predictions(anns, hook)
    await keep_files(anns)
    await follow_a_stream(anns)
    await run_trainings(runner, anns)
    await ask_for_what_is_absent(anns)
    served = {operation for operation, status in checker.seen if status < 400}
    assert not served & ABSENT.keys()
    assert served | ABSENT.keys() == operations(checker.document)
    refused = {operation for operation, status in checker.seen if status == 403}
    assert refused == ABSENT.keys()


async def read_everything(anns: Door) -> None:
    version = (await anns.http.get(ECHO)).json()["latest_version"]["id"]
    paths = ["account", "hardware", "webhooks/default/secret", "collections", "collections/test-models", "models"]
    paths += ["search?query=echo", "deployments", "deployments/mutoscope/echo", f"{ECHO}/readme", f"{ECHO}/examples"]
    paths += [f"{ECHO}/versions", f"{ECHO}/versions/{version}"]
    for path in paths:
        assert (await anns.http.get(path)).is_success, path
    assert (await anns.http.request("QUERY", "models", content="echo")).is_success


async def run_predictions(anns: Door, hook: Receiver) -> None:
    created = await anns.start(seconds=60, headers={"Cancel-After": "1h"}, body={"webhook": hook.url})
    await anns.reach(created["id"], "processing")
    await anns.http.post(f"predictions/{created['id']}/cancel")
    for inputs in ({"output": "json"}, {"output": "files"}, {"fail": "no"}):
        await anns.run(**inputs)
    await hook.until(lambda: len(hook.taken) == 1)
    assert hook.taken[0].json() == await anns.get(created["id"])
    assert len((await anns.http.get("predictions")).json()["results"]) == 4
    for path in ("predictions", f"{ECHO}/predictions", "deployments/mutoscope/echo/predictions"):
        body = {"version": "mutoscope/echo"} if path == "predictions" else {}
        assert (await anns.ask(path, body=body, headers={"Prefer": "wait"})).status_code == 201
        late = await anns.ask(path, body=body, headers={"Prefer": "wait=1"}, seconds=60)
        assert late.status_code == 202
        await anns.http.post(f"predictions/{late.json()['id']}/cancel")


async def follow_a_stream(anns: Door) -> None:
    made = (await anns.http.post(f"models/{SCRIBE}/predictions", json={"input": {"max_tokens": 3}})).json()
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(made["urls"]["stream"])).text.endswith("data: {}\n\n")


async def keep_files(anns: Door) -> None:
    made = (await anns.http.post("files", files={"content": ("a.txt", b"text")}, data={"metadata": "{}"})).json()
    for url in (made["urls"]["get"], made["urls"]["download"], "files"):
        assert (await anns.http.get(url)).is_success, url
    assert (await anns.http.delete(made["urls"]["get"])).status_code == 204


async def run_trainings(runner: RunnerProcess, anns: Door) -> None:
    version, destination = version_of(runner), new_destination(runner)
    done = await ended(anns, (await train(anns, version, destination, seconds=0.2)).json())
    assert done["status"] == "succeeded", done["error"]
    failed = await ended(anns, (await train(anns, version, destination, train_data="data:text/plain,word")).json())
    assert failed["status"] == "failed"
    running = (await train(anns, version, destination, seconds=60)).json()
    assert (await anns.http.post(f"trainings/{running['id']}/cancel")).json()["status"] == "canceled"
    assert len((await anns.http.get("trainings")).json()["results"]) == 3


async def ask_for_what_is_absent(anns: Door) -> None:
    for method, path in ABSENT:
        names = {"model_owner": "mutoscope", "model_name": "echo", "version_id": "0" * 64}
        names |= {"deployment_owner": "mutoscope", "deployment_name": "echo"}
        answer = await anns.http.request(method.upper(), path.format_map(names)[1:])
        assert answer.status_code == 403, (method, path)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_refusals_are_as_the_document_says(here: Service, ann: Person, anns: Door, checker: Checker) -> None:
    for method, path, status in (
        ("GET", "collections/none", 404),
        ("GET", "deployments/local/none", 404),
        ("GET", "models/local/none", 404),
        ("GET", "models/local/none/readme", 404),
        ("GET", f"{ECHO}/versions/{'0' * 64}", 404),
        ("GET", "predictions/none", 404),
        ("POST", "predictions/none/cancel", 404),
        ("GET", "trainings/none", 404),
        ("POST", "trainings/none/cancel", 404),
        ("POST", f"models/{SCRIBE}/versions/{'0' * 64}/trainings", 400),
        ("GET", "files/none", 404),
        ("DELETE", "files/none", 404),
        ("GET", "files/none/download?owner=ann&expiry=1&signature=x", 404),
        ("POST", "files", 422),
        ("GET", "predictions?created_after=x", 422),
        ("GET", "search?query=" + "x" * 2000, 422),
        ("POST", "predictions", 400),
        ("POST", f"{ECHO}/predictions", 400),
        ("POST", "models/local/none/predictions", 400),
        ("PUT", "predictions", 405),
        ("GET", "none", 404),
    ):
        assert (await anns.http.request(method, path)).status_code == status, path
    assert (await anns.ask(seconds="long")).status_code == 422
    assert (await anns.ask("models/local/none/predictions")).status_code == 422
    anns.http.headers["Authorization"] = "Bearer nonsense"
    assert (await anns.http.get("predictions")).status_code == 401
    async with here.person("poor", credits=1) as poor, door(here.url, poor.key) as one:
        one.http.event_hooks = anns.http.event_hooks
        assert (await one.ask()).status_code == 402
