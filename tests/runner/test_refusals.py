import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.runner.harness import Client, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def runner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """One runner for all: what is refused leaves nothing behind."""
    async with running(tmp_path_factory.mktemp("refusals")) as client:
        yield client
        assert (await client.stats())["creates"]["accepted"] == 0


async def test_a_token_is_needed_but_not_for_health(runner: Client) -> None:
    for path in ("/v1/predictions", "/v1/account", "/_runner/stats"):
        answer = await runner.http.get(path, headers={"authorization": ""})
        assert answer.status_code == 401
        assert answer.json()["title"] == "Unauthenticated"
    assert (await runner.http.get("/healthz")).status_code == 200


async def test_only_the_configured_token_is_good(tmp_path: Path) -> None:
    async with running(tmp_path, token="right") as runner:
        assert (await runner.http.get("/v1/account")).status_code == 401
        answer = await runner.http.get("/v1/account", headers={"authorization": "Bearer right"})
        assert (answer.status_code, answer.json()["type"]) == (200, "user")


async def test_an_input_against_the_schema_is_refused_field_by_field(runner: Client) -> None:
    answer = await runner.create({"text": 3, "seconds": 9999, "output": "song", "unknown": 1})
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["title"]) == (422, 422, "Input validation failed")
    assert {one["field"] for one in problem["invalid_fields"]} == {"input.text", "input.seconds", "input.output"}
    assert "- input.seconds: " in problem["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"input": {}}, 422),
        ({"version": "mutoscope/echo"}, 422),
        ({"version": "mutoscope/echo", "input": []}, 422),
        ({"version": "mutoscope/echo", "input": {}, "webhook_events_filter": ["end"]}, 422),
        ({"version": "mutoscope/none", "input": {}}, 422),
        ({"version": "0" * 64, "input": {}}, 422),
        ({"version": "not a reference", "input": {}}, 422),
        ([], 422),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(runner: Client, body: object, status: int) -> None:
    answer = await runner.http.post("/v1/predictions", json=body)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.json()["detail"]


async def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, max_body_bytes=1000) as runner:
        assert (await runner.http.post("/v1/predictions", content=b" " * 1001)).status_code == 413


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "Expecting value at line 1, column 1"),
        (b'{"input": {},\n "version": }', "Expecting value at line 2, column 13"),
        (b'{"input": "\xff"}', "byte 11 does not belong into utf-8"),
        (b'{"input": {"a": NaN}}', "Out of range float values are not JSON compliant"),
        (b'{"input": {"a": "\\ud800"}}', "half of a surrogate pair is no character"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"version": "mutoscope/echo", "input": {"a": ' + b"[" * 300 + b"]" * 300 + b"}}", "it is nested too deeply"),
        (b'{"input": {"a": ' + b'{"b": ' * 99 + b"1" + b"}" * 99 + b"}}", "it is nested too deeply"),
    ],
)
async def test_a_body_that_is_not_json_is_refused_with_the_fault_and_its_place(
    runner: Client, body: bytes, fault: str
) -> None:
    answer = await runner.http.post("/v1/predictions", content=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"The body is not JSON: {fault}")


@pytest.mark.parametrize(
    "webhook", ["", "hook", "ftp://x/", "http://", "http://x:y/", "http://[broken/", "http://x/a b", "http://ü/", "//x"]
)
async def test_a_webhook_that_nothing_can_be_posted_to_is_refused(runner: Client, webhook: str) -> None:
    answer = await runner.create(webhook=webhook)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["invalid_fields"]] == ["webhook"]


@pytest.mark.parametrize("text", ['"\\ud800"', "NaN", "1e999", '"\xff"'])
async def test_what_no_answer_could_show_is_refused(runner: Client, text: str) -> None:
    body = f'{{"version": "mutoscope/echo", "input": {{"more": {text}}}}}'.encode("latin-1")
    assert (await runner.http.post("/v1/predictions", content=body)).status_code == 422


@pytest.mark.parametrize("headers", [{"Cancel-After": "4s"}, {"Cancel-After": "soon"}, {"Prefer": "wait=61"}])
async def test_a_bad_header_is_refused(runner: Client, headers: dict[str, str]) -> None:
    assert (await runner.create(headers=headers)).status_code == 422


async def test_what_is_not_there_is_404_in_replicates_shape(runner: Client) -> None:
    for path in (
        "/v1/predictions/none",
        "/v1/models/mutoscope/none",
        f"/v1/models/mutoscope/echo/versions/{'0' * 64}",
        "/v1/deployments/mutoscope/none",
        "/v1/files/none",
        "/v1/none",
        "/files/none/none.png",
        "/files/..%2F..%2Frunner.db/x",
        f"/files/none/{'n' * 300}",
    ):
        answer = await runner.http.get(path)
        assert (answer.status_code, answer.json()["status"]) == (404, 404), path
        assert answer.json()["detail"]


@pytest.mark.parametrize("path", ["/files/../runner.db", "/files/%2e%2e/webhook_secret", "/files/..%2Frunner.db"])
async def test_only_what_models_made_is_served(runner: Client, path: str) -> None:
    """Asked for by hand: clients take such steps out of a path before they send it."""
    reader, writer = await asyncio.open_connection(*runner.url.removeprefix("http://").split(":"))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: runner\r\nConnection: close\r\n\r\n".encode())
    status = (await reader.read()).split()[1]
    writer.close()
    await writer.wait_closed()
    assert status == b"404"


@pytest.mark.parametrize("cursor", ["???", "zzz", base64.urlsafe_b64encode(b"9" * 20).decode()])
@pytest.mark.parametrize("path", ["predictions", "trainings", "models", "collections", "deployments", "files"])
async def test_a_bad_cursor_is_refused(runner: Client, path: str, cursor: str) -> None:
    answer = await runner.http.get(f"/v1/{path}", params={"cursor": cursor})
    assert answer.status_code == 422
    assert "cursor" in answer.json()["detail"]


async def test_bad_queries_are_refused(runner: Client) -> None:
    assert (await runner.http.get("/v1/predictions", params={"created_after": "today"})).status_code == 422
