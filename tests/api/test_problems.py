"""Every kind of bad input ends as a problem document that says what to do, never as a 5xx."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api.service import Person, Service, client

BODY = {"model": "echo", "input": {"text": "hello"}}
JSON = {"content-type": "application/json"}


def check(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem, once it is seen that it is one."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem = answer.json()
    assert problem["type"] == f"urn:mutoscope:problem:{code}", problem
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["instance"] == answer.request.url.path
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in answer.text
    return problem


NESTED = b"[" * 40 + b"]" * 40
DEEP = b'{"model": "echo", "input": {"text": ' + b"[" * 20_000 + b"]" * 20_000 + b"}}"

RAW: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("no JSON", b'{"model": ', JSON, 400, "invalid_json"),
    ("not UTF-8", b'{"model": "\xff\xfe"}', JSON, 400, "invalid_json"),
    ("UTF-16", json.dumps(BODY).encode("utf-16"), JSON, 400, "invalid_json"),
    ("NaN", b'{"model": "echo", "input": {"seconds": NaN}}', JSON, 400, "invalid_json"),
    ("minus infinity", b'{"model": "echo", "input": {"seconds": -Infinity}}', JSON, 400, "invalid_json"),
    ("an infinite literal", b'{"model": "echo", "input": {"seconds": 1e999}}', JSON, 422, "invalid_request"),
    ("a huge integer", b'{"model": "echo", "input": {"seconds": %d}}' % 10**40, JSON, 422, "invalid_request"),
    ("5,000 digits", b'{"model": "echo", "input": {"seconds": ' + b"9" * 5000 + b"}}", JSON, 400, "invalid_json"),
    ("very deep", DEEP, JSON, 400, "invalid_json"),
    ("a little too deep", b'{"model": "echo", "input": {"a": %s}}' % NESTED, JSON, 422, "invalid_request"),
    ("a name twice", b'{"model": "echo", "model": "per-file", "input": {}}', JSON, 400, "invalid_json"),
    ("a name twice inside", b'{"model": "echo", "input": {"a": [{"b": 1, "b": 1}]}}', JSON, 400, "invalid_json"),
    ("NUL", b'{"model": "echo", "input": {"text": "a\\u0000b"}}', JSON, 422, "invalid_request"),
    ("NUL in a name", b'{"model": "echo", "input": {"a\\u0000b": 1}}', JSON, 422, "invalid_request"),
    ("NUL in metadata", b'{"model": "echo", "input": {}, "metadata": {"a": "\\u0000"}}', JSON, 422, "invalid_request"),
    ("half a surrogate pair", b'{"model": "echo", "input": {"text": "\\ud800"}}', JSON, 422, "invalid_request"),
    ("no body", b"", JSON, 422, "invalid_request"),
    ("a list", b"[]", JSON, 422, "invalid_request"),
    ("a text", b'"x"', JSON, 422, "invalid_request"),
    ("null", b"null", JSON, 422, "invalid_request"),
    ("a form", b"model=echo", {"content-type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
    ("no media type", json.dumps(BODY).encode(), {}, 415, "unsupported_media_type"),
    ("an unknown member", json.dumps(BODY | {"inputs": 1}).encode(), JSON, 422, "invalid_request"),
    ("no such model", json.dumps(BODY | {"model": "ecko"}).encode(), JSON, 404, "not_found"),
    ("metadata of 20 KB", json.dumps(BODY | {"metadata": {"a": "x" * 20_000}}).encode(), JSON, 422, "invalid_request"),
    ("a key that is empty", json.dumps(BODY).encode(), JSON | {"idempotency-key": ""}, 422, "invalid_request"),
    ("a key of 256", json.dumps(BODY).encode(), JSON | {"idempotency-key": "k" * 256}, 422, "invalid_request"),
    ("a key with a tab", json.dumps(BODY).encode(), JSON | {"idempotency-key": "a\tb"}, 422, "invalid_request"),
]  # fmt: skip


async def test_bodies_that_cannot_be_used_are_refused_and_cost_nothing(ann: Person) -> None:
    for what, content, headers, status, code in RAW:
        answer = await ann.http.post("/v1/generations", content=content, headers=headers)
        assert answer.status_code == status, f"{what}: {answer.status_code} {answer.text}"
        check(answer, status, code)
        assert not any(word in answer.text for word in ("dictionary", "sys.", "GenerationCreate")), answer.text
    assert await ann.credits() == (1000, 0, 0)
    assert (await ann.http.get("/v1/generations")).json()["data"] == []


async def test_errors_point_at_what_is_wrong(ann: Person) -> None:
    wrong = {"model": "echo", "input": {"seconds": "soon", "txet": "hello"}}
    problem = check(await ann.http.post("/v1/generations", json=wrong), 422, "invalid_input")
    paths = {one["path"]: one["message"] for one in problem["errors"]}
    assert paths.keys() == {"/input/seconds", "/input/txet"}
    assert "text" in paths["/input/txet"]
    assert check(await ann.http.post("/v1/quotes", json=wrong), 422, "invalid_input")["errors"] == problem["errors"]
    missing = check(await ann.http.post("/v1/generations", json={"model": "echo"}), 422, "invalid_request")
    assert missing["errors"][0]["in"] == "body"
    assert missing["errors"][0]["path"] == "/input"
    query = check(await ann.http.get("/v1/generations?limit=0"), 422, "invalid_request")
    assert (query["errors"][0]["in"], query["errors"][0]["path"]) == ("query", "/limit")


async def test_identifiers_that_no_database_keeps_are_refused(here: Service, ann: Person) -> None:
    for path in ("/v1/generations/%00", "/v1/generations/gen_%00", "/v1/generations?before=%00", "/v1/models/a%00b",
                 "/v1/generations?model=%00", "/v1/generations?status=unknown", "/v1/credits/transfers?before=-1",
                 "/v1/credits/transfers?credit_type=%00", f"/v1/events?after={2**63}"):  # fmt: skip
        check(await ann.http.get(path), 422, "invalid_request")
    for path in ("/v1/accounts/%00", "/v1/accounts?after=%00", "/v1/accounts/a%00/keys"):
        check(await here.operator.get(path), 422, "invalid_request")
    for name, value in (
        ("external_id", "a\0"),
        ("name", "\0"),
        ("external_id", ""),
        ("external_id", "x" * 256),
        ("external_id", "acct_a"),
        ("external_id", "a "),
        ("external_id", "a/b"),
    ):
        check(await here.operator.post("/v1/accounts", json={"external_id": "x", name: value}), 422, "invalid_request")
    check(await here.operator.delete("/v1/keys/%00"), 422, "invalid_request")
    for account in (b"\xff", b"", b"x" * 256):
        answer = await here.operator.get("/v1/credits", headers=[(b"Mutoscope-Account", account)])
        check(answer, 422, "invalid_request")


async def test_what_is_not_there_is_not_found(here: Service, ann: Person) -> None:
    check(await ann.http.get("/v1/generations/gen_unknown"), 404, "not_found")
    check(await ann.http.get("/v1/models/unknown"), 404, "not_found")
    check(await ann.http.get("/nowhere"), 404, "not_found")
    check(await ann.http.get("/v1/generations/"), 404, "not_found")
    check(await here.operator.get("/v1/accounts/unknown"), 404, "not_found")
    check(await here.operator.delete("/v1/keys/unknown"), 404, "not_found")
    check(await here.operator.get("/v1/credits", headers={"Mutoscope-Account": "unknown"}), 404, "not_found")
    answer = await ann.http.delete("/v1/generations")
    check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_keys_are_needed_and_must_be_good(here: Service, ann: Person) -> None:
    typo = ann.key[:-1] + ("a" if ann.key[-1] != "a" else "b")
    async with client(here.url, None) as nobody:
        for headers in ({}, *({"Authorization": one} for one in ("Bearer x", f"Bearer {typo}", f"Basic {ann.key}"))):
            answer = await nobody.get("/v1/credits", headers=headers)
            check(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"
    check(await ann.http.get("/v1/accounts"), 403, "forbidden")
    check(await ann.http.get("/v1/credits", headers={"Mutoscope-Account": "bob"}), 403, "forbidden")
    needed = check(await here.operator.get("/v1/credits"), 422, "account_needed")
    assert "Mutoscope-Account" in needed["detail"]


async def test_headers_that_come_twice_are_refused(ann: Person) -> None:
    for name in ("Authorization", "Mutoscope-Account", "Idempotency-Key"):
        headers = [(name, "one"), (name, "two")]
        answer = await ann.http.post("/v1/generations", json=BODY, headers=headers)
        check(answer, 422, "invalid_request")


async def test_a_key_that_was_revoked_is_good_no_more(here: Service, ann: Person) -> None:
    (key,) = (await here.operator.get("/v1/accounts/ann/keys")).json()["data"]
    assert "secret" not in key
    revoked = await here.operator.delete(f"/v1/keys/{key['id']}")
    assert revoked.json()["revoked_at"]
    check(await ann.http.get("/v1/credits"), 401, "unauthenticated")
    assert (await here.operator.delete(f"/v1/keys/{key['id']}")).json() == revoked.json()


async def test_a_grant_is_given_once_and_must_be_possible(here: Service, ann: Person) -> None:
    grant = {"credit_type": "image_generation", "amount": 5, "source": "promo", "external_id": "p"}
    first = await here.operator.post("/v1/accounts/ann/grants", json=grant)
    again = await here.operator.post("/v1/accounts/ann/grants", json=grant)
    assert (first.status_code, first.json()) == (201, again.json())
    conflict = await here.operator.post("/v1/accounts/ann/grants", json=grant | {"amount": 6})
    check(conflict, 409, "grant_conflict")
    assert await ann.credits() == (1005, 0, 0)
    for wrong in (
        {"amount": 0}, {"amount": -1}, {"amount": 1.5}, {"amount": "5e"}, {"amount": 10**15 + 1}, {"credit_type": "A"},
        {"source": "gift"}, {"external_id": "\0"}, {"priority": 2**31}, {"expires_at": "9999-12-31T23:59:59-12:00"},
        {"expires_at": "0001-01-01T00:00:00+12:00"}, {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2030-01-01T00:00:00"}, {"expires_at": 2e9}, {"priority": True}, {"amount": "5"},
    ):  # fmt: skip
        answer = await here.operator.post("/v1/accounts/ann/grants", json={**grant, "external_id": "q", **wrong})
        check(answer, 422, "invalid_request")
    events = (await ann.http.get("/v1/events")).json()["data"]
    assert [one["type"] for one in events] == ["credits.granted", "credits.granted"]


async def test_a_refund_gives_back_what_was_charged_and_no_more(here: Service, ann: Person) -> None:
    done = await ann.run("to be refunded")
    path, headers = f"/v1/generations/{done['id']}/refunds", {"Mutoscope-Account": "ann", "Idempotency-Key": "r1"}
    body = {"amount": 2, "reason": "bad_result"}
    for _ in range(2):
        answer = await here.operator.post(path, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
    assert await ann.credits() == (999, 0, 1)
    check(await here.operator.post(path, json=body, headers=headers | {"Idempotency-Key": "r2"}), 409, "conflict")
    check(await here.operator.post(path, json=body, headers={"Mutoscope-Account": "ann"}), 422, "invalid_request")
    check(await ann.http.post(path, json=body, headers={"Idempotency-Key": "r3"}), 403, "forbidden")
    newest = (await ann.http.get("/v1/credits/transfers?limit=1")).json()["data"][0]
    assert (newest["kind"], newest["amount"], newest["reason"]) == ("refund", 2, "bad_result")
    assert newest["generation_id"] == done["id"]
    types = [one["type"] for one in (await ann.http.get("/v1/events?after=1")).json()["data"]]
    assert types == ["generation.queued", "generation.completed", "credits.refunded"]


async def _talk(url: str, text: bytes) -> bytes:
    """Send raw bytes, and read until the other side closes."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(text)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("path", ["/v1/generations", "/callbacks/replicate"])
async def test_a_body_without_end_is_cut_off(here: Service, ann: Person, path: str) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        yield b'{"model": "'
        for _ in range(200):
            yield b"x" * 100_000

    answer = await ann.http.post(path, content=endless(), headers=JSON)
    check(answer, 413, "too_large")


async def test_a_body_that_says_it_is_too_large_is_not_read(here: Service, ann: Person) -> None:
    lines = ("POST /v1/generations HTTP/1.1", "Host: x", f"Authorization: Bearer {ann.key}", f"Content-Length: {10**9}")
    answer = await _talk(here.url, "\r\n".join((*lines, "", "")).encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too_large"' in answer


async def test_nonsense_on_the_wire_does_no_harm(here: Service, ann: Person) -> None:
    for raw in (b"\x16\x03\x01\x00\x00", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: a\r\n\r\n"):
        assert b" 5" not in (await _talk(here.url, raw + b"\r\n\r\n"))[:12]
    assert (await ann.http.get("/healthz")).json() == {"status": "ok"}


async def test_a_query_that_means_nothing_or_two_things_is_refused(here: Service, ann: Person) -> None:
    for path in ("/v1/generations?before=xx", "/v1/generations?before=gen_1", "/v1/credits/transfers?before=xx",
                 "/v1/files?before=xx", "/v1/files?before=gen_00000000000000000000000000"):  # fmt: skip
        assert check(await ann.http.get(path), 422, "invalid_request")["errors"][0]["path"] == "/before"
    check(await here.operator.get("/v1/accounts?after=xx"), 422, "invalid_request")
    for path in ("/v1/generations?limit=1&limit=2", "/v1/generations?limit=1&limit=1"):
        problem = check(await ann.http.get(path), 422, "invalid_request")
        assert problem["errors"] == [{"in": "query", "path": "/limit", "message": "came more than once"}]
