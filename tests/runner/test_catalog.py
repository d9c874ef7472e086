from pathlib import Path

import jsonschema_rs
import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.replicate_protocol.schemas import input_defaults, input_properties, input_schema
from tests.runner.harness import Client, running

MODELS = ["mutoscope/painter", "mutoscope/upscale", "mutoscope/classify-safety", "mutoscope/scribe", "mutoscope/echo"]


async def test_every_model_has_one_stable_version_with_a_schema(runner: Client, tmp_path: Path) -> None:
    models = (await runner.http.get("/v1/models")).json()["results"]
    assert [f"{one['owner']}/{one['name']}" for one in models] == MODELS
    for model in models:
        version = model["latest_version"]
        path = f"/v1/models/{model['owner']}/{model['name']}"
        assert (await runner.http.get(path)).json() == model
        assert (await runner.http.get(f"{path}/versions")).json()["results"] == [version]
        assert (await runner.http.get(f"{path}/versions/{version['id']}")).json() == version
        deployment = (await runner.http.get(f"/v1/deployments/{model['owner']}/{model['name']}")).json()
        assert deployment["current_release"]["version"] == version["id"]
    async with running(tmp_path / "other") as other:
        again = (await other.http.get("/v1/models")).json()["results"]
    assert [one["latest_version"]["id"] for one in again] == [one["latest_version"]["id"] for one in models]


async def test_schemas_are_in_the_style_of_cog(runner: Client) -> None:
    for name in MODELS:
        document = (await runner.http.get(f"/v1/models/{name}")).json()["latest_version"]["openapi_schema"]
        schema = input_schema(document) or {}
        jsonschema_rs.validator_for(schema)
        properties = input_properties(document)
        assert [one["x-order"] for one in properties.values()] == list(range(len(properties)))
        assert all(one["description"] for one in properties.values())
        required = dict.fromkeys(document["components"]["schemas"]["Input"].get("required", []), "http://x/")
        assert jsonschema_rs.validator_for(schema).is_valid({**input_defaults(document), **required})


async def test_choices_are_enums_through_all_of(runner: Client) -> None:
    document = (await runner.http.get("/v1/models/mutoscope/upscale")).json()["latest_version"]["openapi_schema"]
    schemas = document["components"]["schemas"]
    assert schemas["Input"]["properties"]["scale"]["allOf"] == [{"$ref": "#/components/schemas/scale"}]
    assert schemas["scale"]["enum"] == [2, 4]


async def test_only_the_models_asked_for_are_offered(tmp_path: Path) -> None:
    async with running(tmp_path, models=["mutoscope/echo"]) as runner:
        assert len((await runner.http.get("/v1/models")).json()["results"]) == 1
        assert (await runner.create(model="mutoscope/painter")).status_code == 422


async def test_a_model_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        async with running(tmp_path, models=["mutoscope/none"]):
            pytest.fail("it must not start")


async def test_a_state_directory_has_one_runner(tmp_path: Path) -> None:
    async with running(tmp_path) as first:
        done = await first.run()
        with pytest.raises(ConfigurationError, match="another runner"):
            async with running(tmp_path):
                pytest.fail("it must not start")
    async with running(tmp_path) as second:
        assert (await second.get(done["id"]))["output"] == done["output"]


async def test_a_port_that_is_taken_stops_the_start(tmp_path: Path, runner: Client) -> None:
    with pytest.raises(ConfigurationError, match="cannot listen"):
        async with running(tmp_path / "other", port=int(runner.url.rpartition(":")[2])):
            pytest.fail("it must not start")


async def test_the_account_the_hardware_and_the_secret(runner: Client) -> None:
    assert (await runner.http.get("/v1/account")).json()["type"] == "user"
    assert (await runner.http.get("/v1/hardware")).json() == [{"name": "CPU", "sku": "cpu"}]
    assert (await runner.http.get("/v1/webhooks/default/secret")).json() == {"key": runner.secret}
