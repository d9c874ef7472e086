"""Replicate's own clients, unmodified, each in a process of its own: only base URL and token are not Replicate's."""

import base64
import random
from pathlib import Path

import httpx
import pytest

from tests.clients.conftest import OfficialClient, Target
from tests.clients.hooks import hook
from tests.runner.harness import Json
from tests.runner.training import TEXT

ECHO, SCRIBE, UPSCALE = "mutoscope/echo", "mutoscope/scribe", "mutoscope/upscale"


async def latest(target: Target, model: str) -> str:
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {target.token}"}) as http:
        answer = await http.get(f"{target.base_url}/v1/models/{model}")
    return answer.json()["latest_version"]["id"]


@pytest.mark.parametrize("mode", ["block", "poll"])
async def test_run(client: OfficialClient, target: Target, mode: str) -> None:
    given: Json = {"text": "hello", "seconds": 0.5}
    assert (await client.call("run", ref=ECHO, input=given, mode=mode))["output"] == "hello"
    version = await latest(target, ECHO)
    by_version = await client.call("run", ref=f"{ECHO}:{version}", input={"text": "a b", "output": "list"}, mode=mode)
    assert by_version["output"] == ["a", "b"]


async def test_run_gives_files_that_can_be_read(client: OfficialClient) -> None:
    named = (await client.call("run", ref=ECHO, input={"output": "dict"}, mode="block"))["output"]
    async with httpx.AsyncClient() as http:
        assert (await http.get(named["image"])).content.startswith(b"\x89PNG")
    inline = (await client.call("run", ref=ECHO, input={"output": "data_uri"}, mode="block"))["output"]
    assert (await contents(inline)).startswith(b"\x89PNG")


async def contents(output: Json | str) -> bytes:
    """A file that a run gave: what the client read of it, or a link, which it reads only from https."""
    if isinstance(output, dict):
        return base64.b64decode(output["base64"])
    async with httpx.AsyncClient() as http:
        return (await http.get(output)).content


async def test_run_reads_progress_from_the_logs(client: OfficialClient, target: Target) -> None:
    ref = f"{ECHO}:{await latest(target, ECHO)}"
    seen = (await client.call("run", ref=ref, input={"seconds": 1.5}, mode="poll"))["progress"]
    assert seen
    assert seen == sorted(seen)
    assert all(0 <= one <= 1 for one in seen)
    assert seen[-1] == 1


async def test_run_says_why_it_was_refused_or_failed(client: OfficialClient) -> None:
    refused = (await client.call("refused", ref=ECHO, input={"seconds": "long"}))["error"]
    assert "failed with status 422" in refused
    assert "input.seconds" in refused
    failed = (await client.call("refused", ref=ECHO, input={"fail": "no luck"}))["error"]
    assert failed.replace("ValueError: ", "") == "Prediction failed: no luck"  # Cog names the exception
    assert "422" in (await client.call("refused", ref="mutoscope/none", input={}))["error"]


async def test_create_get_list_and_cancel(client: OfficialClient, target: Target) -> None:
    seen = await client.call("predictions", version=await latest(target, ECHO), input={"seconds": 60})
    assert (seen["created"], seen["got"], seen["canceled"]) == ("starting", seen["id"], "canceled")
    assert seen["listed"] == [seen["id"]]


async def test_all_pages_of_a_list(client: OfficialClient, target: Target) -> None:
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {target.token}"}) as http:
        body = {"version": ECHO, "input": {}}
        made = [(await http.post(f"{target.base_url}/v1/predictions", json=body)).json()["id"] for _ in range(120)]
    pages = (await client.call("pages"))["pages"]
    assert [len(page) for page in pages] == [100, 20]
    assert [one for page in pages for one in page] == made[::-1]


async def test_stream(client: OfficialClient) -> None:
    given: Json = {"prompt": "the", "max_tokens": 60, "tokens_per_second": 20}
    events = (await client.call("stream", ref=SCRIBE, input=given))["events"]
    kinds = [event for event, _ in events]
    assert kinds == ["output"] * (len(events) - 1) + ["done"]
    assert len(events) > 2, "the text came while it was made"
    run = await client.call("run", ref=SCRIBE, input=given, mode="block")
    assert "".join(data for _, data in events[:-1]) == "".join(run["output"])


async def test_files_are_uploaded_and_used_as_input(client: OfficialClient, tmp_path: Path) -> None:
    data = await contents((await client.call("run", ref=ECHO, input={"output": "data_uri"}, mode="block"))["output"])
    path = tmp_path / "in.png"
    path.write_bytes(data)
    seen = await client.call("files", path=str(path))
    assert (seen["created"]["size"], seen["created"]["metadata"]) == (len(data), {"ref": 7})
    assert (seen["got"], seen["listed"], seen["deleted"]) == (seen["created"]["id"], [seen["created"]["id"]], True)
    run = await client.call("run", ref=UPSCALE, input={"scale": 2}, files={"image": str(path)}, mode="block")
    async with httpx.AsyncClient() as http:
        enlarged = (await http.get(run["output"])).content
    assert int.from_bytes(enlarged[16:20]) == 16


@pytest.mark.parametrize("target", ["Cog"], indirect=True)
@pytest.mark.parametrize("size", [100, 2_000_000])
async def test_a_file_goes_to_a_cog_server_and_comes_back(client: OfficialClient, tmp_path: Path, size: int) -> None:
    path = tmp_path / "in.bin"
    path.write_bytes(random.Random(size).randbytes(size))
    run = await client.call("run", ref=ECHO, input={}, files={"file": str(path)}, mode="block")
    assert await contents(run["output"]) == path.read_bytes()


async def test_models_and_versions(client: OfficialClient, target: Target) -> None:
    seen = await client.call("models", query="scribe")
    version = await latest(target, ECHO)
    assert (seen["model"], seen["version"], seen["versions"]) == (ECHO, version, [version])
    assert seen["inputs"][:2] == ["text", "seconds"]
    assert {ECHO, SCRIBE} <= set(seen["listed"])
    assert seen["found"] == [SCRIBE]


async def test_deployments(client: OfficialClient, target: Target) -> None:
    if target.operator:
        pytest.skip("only the operator makes deployments")
    seen = await client.call("deployment", name="app", version=await latest(target, ECHO), input={"text": "deployed"})
    assert (seen["numbers"], seen["output"], seen["deleted"]) == ([1, 2, 2], "deployed", True)
    assert f"{target.owner}/app" in seen["listed"]


async def test_trainings(client: OfficialClient, target: Target) -> None:
    given = {"model": SCRIBE, "version": await latest(target, SCRIBE), "owner": target.owner, "name": "fox"}
    if target.operator:
        body = {"owner": target.owner, "name": "fox", "visibility": "public", "hardware": "cpu"}
        assert (await target.operator.http.post("/v1/models", json=body)).is_success
    seen = await client.call("training", **given, input={"train_data": TEXT}, make=target.operator is None)
    assert (seen["status"], seen["canceled"], len(seen["listed"])) == ("succeeded", "canceled", 2)
    assert seen["version"].startswith(f"{target.owner}/fox:")
    assert seen["text"] == ["fox", " red", " fox"]


async def test_account_hardware_and_collections(client: OfficialClient) -> None:
    seen = await client.call("account")
    assert seen["account"] in {"user", "organization"}
    assert "cpu" in seen["hardware"]
    assert seen["collection"] == [seen["collections"][0], True]


async def test_the_client_itself_validates_our_webhooks(client: OfficialClient, target: Target) -> None:
    async with hook() as received:
        body = {
            "version": ECHO,
            "input": {"text": "ü"},
            "webhook": received.url,
            "webhook_events_filter": ["completed"],
        }
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {target.token}"}) as http:
            assert (await http.post(f"{target.base_url}/v1/predictions", json=body)).is_success
        headers, text = await received.one()
    assert await client.call("webhook", headers=headers, body=text) == {"good": True, "forged": False}


async def test_the_python_client_is_asynchronous_too(python: OfficialClient) -> None:
    inputs = [{"text": str(index), "seconds": 0.2} for index in range(5)]
    seen = await python.call("asynchronous", ref=ECHO, inputs=inputs, streamed=SCRIBE)
    assert seen["outputs"] == ["0", "1", "2", "3", "4"]
    assert set(seen["events"][:-1]) == {"output"}
    assert seen["events"][-1] == "done"
    assert len(seen["listed"]) == 6
