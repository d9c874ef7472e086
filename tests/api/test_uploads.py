"""Files over HTTP: sent in either way, bounded, listed, linked, deleted, and used in a generation."""

import asyncio
import hashlib
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.service import Json, Person, Service, client, service
from tests.world import RunnerProcess, settings_for, until

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20_000)


async def upload(person: Person, data: bytes = PNG, name: str = "cat.png", **fields: str) -> Json:
    answer = await person.http.post("/v1/files", files={"content": (name, data, "text/plain")}, data=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_form_is_kept_and_can_be_read_again(ann: Person) -> None:
    made = await upload(ann, metadata=json.dumps({"order": 7}))
    assert (made["name"], made["media_type"], made["size_bytes"]) == ("cat.png", "image/png", len(PNG))
    assert (made["sha256"], made["metadata"]) == (hashlib.sha256(PNG).hexdigest(), {"order": 7})
    async with client("", None) as anybody:
        assert (await anybody.get(made["url"])).content == PNG
    found = (await ann.http.get(f"/v1/files/{made['id']}")).json()
    assert {**found, "url": ""} == {**made, "url": ""}


async def test_a_body_is_kept_under_the_name_it_is_given(ann: Person) -> None:
    answer = await ann.http.post("/v1/files?name=../../etc/cat.png", content=PNG)
    assert (answer.status_code, answer.json()["name"]) == (201, "cat.png")


async def test_files_are_listed_and_deleted(ann: Person, bob: Person) -> None:
    made = [(await upload(ann, name=f"{n}.png"))["id"] for n in range(3)]
    first = (await ann.http.get("/v1/files?limit=2")).json()
    rest = (await ann.http.get(f"/v1/files?limit=2&before={first['next_cursor']}")).json()
    assert [one["id"] for one in (*first["data"], *rest["data"])] == made[::-1]
    assert (await bob.http.get("/v1/files")).json()["data"] == []
    assert (await ann.http.delete(f"/v1/files/{made[0]}")).status_code == 204
    assert (await ann.http.get(f"/v1/files/{made[0]}")).status_code == 404
    assert (await ann.http.delete(f"/v1/files/{made[0]}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 422),
        (b"x", {"Content-Type": "multipart/form-data"}, 422),
        (b"--m\r\n", {"Content-Type": "multipart/form-data; boundary=m"}, 422),
    ],
)
async def test_what_is_no_file_is_refused(ann: Person, body: bytes, headers: dict[str, str], status: int) -> None:
    answer = await ann.http.post("/v1/files", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_file_that_says_it_is_too_large_is_refused_at_once(ann: Person) -> None:
    url = ann.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ann.key}\r\nContent-Length: {10**12}\r\n\r\n"
    writer.write(head.encode())
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 20)
    writer.close()


@pytest.mark.parametrize("metadata", ["[]", "{", "7", '{"a": "\\u0000"}', "[" * 5000, '{"a": NaN}'])
async def test_metadata_must_be_an_object_that_can_be_kept(ann: Person, metadata: str) -> None:
    answer = await ann.http.post("/v1/files", files={"content": ("a", b"x")}, data={"metadata": metadata})
    assert answer.status_code == 422, answer.text
    assert (await ann.http.get("/v1/files")).json()["data"] == []


async def test_a_sender_that_goes_away_leaves_nothing(ann: Person, here: Service) -> None:
    url = ann.http.base_url
    with socket.create_connection((url.host, url.port or 80)) as raw:
        head = f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ann.key}\r\nContent-Length: 99999\r\n\r\n"
        raw.sendall(head.encode() + PNG)
        await until(lambda: _count(here, "writing", 1))
    await until(lambda: _count(here, "writing", 0))
    assert (await ann.http.get("/v1/files")).json()["data"] == []


@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_sender_that_stops_is_given_up(
    database_url: str, tmp_path: Path, runner: RunnerProcess, form: bool
) -> None:
    settings = settings_for(database_url, tmp_path, runner, uploads={"stalled_s": 0.2})
    async with service(settings, runner) as here, here.person("ann") as ann:
        url = ann.http.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        kind = "multipart/form-data; boundary=m" if form else "image/png"
        head = f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ann.key}\r\nContent-Type: {kind}\r\n"
        begun = b'--m\r\nContent-Disposition: form-data; name="content"\r\n\r\n' if form else b""
        writer.write(head.encode() + b"Content-Length: 999999\r\n\r\n" + begun + PNG)
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 20)
        assert b'"upload_too_slow"' in await asyncio.wait_for(reader.read(), 20), "and the connection is closed"
        writer.close()
        await until(lambda: _count(here, "writing", 0))
        assert (await ann.http.get("/v1/files")).json()["data"] == []


async def _count(here: Service, state: str, wanted: int) -> bool:
    from sqlalchemy import func, select

    from mutoscope.uploads.models import Upload

    async with here.runtime.database.read() as session:
        return await session.scalar(select(func.count()).where(Upload.state == state)) == wanted


def _sent(here: Service, generation: Json) -> Any:
    """The input as the provider got it."""
    url = f"{here.runner.url}/v1/predictions/{generation['provider']['prediction_id']}"
    return httpx.get(url, headers={"Authorization": "Bearer test"}).json()["input"]["text"]


async def _run(here: Service, person: Person, text: str) -> Json:
    body = {"model": "echo", "input": {"text": text, "output": "number"}}
    headers = {"Prefer": "wait=30", "Mutoscope-Account": person.account_id}
    answer = await here.operator.post("/v1/generations", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("named_by", ["id", "url"])
async def test_an_input_may_name_a_file(ann: Person, here: Service, named_by: str) -> None:
    made = await upload(ann, b"a small text")
    ended = await _run(here, ann, made[named_by])
    assert ended["status"] == "completed", ended["failure"]
    assert ended["input"]["text"] == made[named_by]
    assert _sent(here, ended) == "data:text/plain;base64,YSBzbWFsbCB0ZXh0"


async def test_another_accounts_file_is_refused_before_anything_is_charged(ann: Person, bob: Person) -> None:
    made = await upload(ann)
    for name in (made["id"], made["url"], f"https://elsewhere.example/replicate/v1/files/{made['id']}"):
        answer = await bob.ask(name)
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_file")
    assert await bob.credits() == (1000, 0, 0)
    assert (await bob.http.get("/v1/generations")).json()["data"] == []
