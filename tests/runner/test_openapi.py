"""Every answer against Replicate's own OpenAPI document, where it is at hand."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.runner.harness import Client, Json, Receiver, until

DOCUMENT = Path(__file__).parents[3] / "shared" / "facts" / "replicate-openapi.json"


def as_json_schema(node: Any) -> Any:
    """OpenAPI's ``nullable`` as JSON Schema says it; and ``oneOf`` loosened, for "hidden" is both of a version's."""
    if isinstance(node, list):
        return [as_json_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    schema = {"anyOf" if key == "oneOf" else key: as_json_schema(value) for key, value in node.items()}
    return {"anyOf": [schema, {"type": "null"}]} if schema.pop("nullable", False) is True else schema


@pytest.fixture(scope="module")
def document() -> Json:
    path = Path(os.environ.get("MUTOSCOPE_REPLICATE_OPENAPI") or DOCUMENT)
    if not path.is_file():
        pytest.skip(f"Replicate's OpenAPI document is not at {path}; name it in MUTOSCOPE_REPLICATE_OPENAPI")
    return as_json_schema(json.loads(path.read_text()))


Check = Callable[[str, str, int, object], None]


@pytest.fixture
def check(document: Json) -> Check:
    def check(method: str, path: str, status: int, answer: object) -> None:
        content = document["paths"][path][method]["responses"][str(status)]["content"]
        schema = {**content["application/json"]["schema"], "components": document["components"]}
        jsonschema_rs.validator_for(schema, validate_formats=True).validate(answer)

    return check


async def test_predictions_in_every_state(runner: Client, hook: Receiver, check: Check) -> None:
    one = "/predictions/{prediction_id}"
    created = await runner.start({"seconds": 60}, webhook=hook.url, headers={"Cancel-After": "1h"})
    check("post", "/predictions", 201, created)
    check("get", one, 200, await runner.reach(created["id"], {"processing"}))
    canceled = (await runner.http.post(f"/v1/predictions/{created['id']}/cancel")).json()
    check("post", "/predictions/{prediction_id}/cancel", 200, canceled)
    for faults in ({}, {"fail": "no"}, {"abort": True}):
        check("get", one, 200, await runner.run({"output": "json"}, faults=faults))
    await until(lambda: len(hook.good) == 1)
    check("get", one, 200, hook.good[0])
    page = (await runner.http.get("/v1/predictions")).json()
    assert len(page["results"]) == 4
    check("get", "/predictions", 200, page)
    for kind in ("model", "deployment"):
        path = f"/{kind}s/{{{kind}_owner}}/{{{kind}_name}}/predictions"
        answer = await runner.http.post(f"/v1/{kind}s/mutoscope/echo/predictions", json={"input": {}})
        check("post", path, 201, answer.json())


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/models", "/models"),
        ("/models/mutoscope/echo", "/models/{model_owner}/{model_name}"),
        ("/models/mutoscope/echo/versions", "/models/{model_owner}/{model_name}/versions"),
        ("/deployments", "/deployments"),
        ("/deployments/mutoscope/echo", "/deployments/{deployment_owner}/{deployment_name}"),
        ("/account", "/account"),
        ("/hardware", "/hardware"),
        ("/webhooks/default/secret", "/webhooks/default/secret"),
    ],
)
async def test_everything_else_that_is_read(runner: Client, check: Check, path: str, shape: str) -> None:
    check("get", shape, 200, (await runner.http.get(f"/v1{path}")).json())


async def test_versions_and_files(runner: Client, check: Check) -> None:
    version = (await runner.http.get("/v1/models/mutoscope/echo")).json()["latest_version"]["id"]
    answer = await runner.http.get(f"/v1/models/mutoscope/echo/versions/{version}")
    check("get", "/models/{model_owner}/{model_name}/versions/{version_id}", 200, answer.json())
    uploaded = (await runner.http.post("/v1/files", files={"content": b"x"})).json()
    check("post", "/files", 201, uploaded)
    check("get", "/files/{file_id}", 200, (await runner.http.get(uploaded["urls"]["get"])).json())
    check("get", "/files", 200, (await runner.http.get("/v1/files")).json())
