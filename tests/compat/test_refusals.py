"""Errors in Replicate's shapes; and never a 500, whatever comes in."""

from collections.abc import AsyncIterator
from typing import Any

from tests.api.service import Service
from tests.compat.door import ECHO, Door, door
from tests.world import PRICE


def _is_an_error(answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]


async def test_without_a_key_or_with_a_wrong_one(here: Service) -> None:
    for key, scheme in ((None, ""), ("r8_nonsense", "Bearer"), ("x", "Basic"), ("mk_ac_nothing", "Token")):
        async with door(here.url, key, scheme) as one:
            answer = await one.http.get("predictions")
            _is_an_error(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_operator_must_say_for_whom(here: Service) -> None:
    key = here.operator.headers["authorization"].partition(" ")[2]
    async with here.person("ann"), door(here.url, key) as one:
        _is_an_error(await one.http.get("account"), 422)
        answer = await one.http.get("account", headers={"Mutoscope-Account": "ann"})
        assert answer.json()["username"] == "ann"
        _is_an_error(await one.http.get("account", headers={"Mutoscope-Account": "nobody"}), 404)


async def test_an_account_may_be_named_in_any_script(here: Service) -> None:
    key = here.operator.headers["authorization"].partition(" ")[2]
    async with here.person("jürgen"), door(here.url, key) as one:
        answer = await one.http.get("account", headers=[(b"Mutoscope-Account", "jürgen".encode())])
        assert answer.json()["username"] == "jürgen"
        for name in (b"\xff", "jürgen".encode("latin-1"), b"\xed\xa0\x80", b"", b"x" * 256):
            answer = await one.http.get("account", headers=[(b"Mutoscope-Account", name)])
            _is_an_error(answer, 422)
            assert "Mutoscope-Account" in answer.json()["detail"]
        twice = [(b"Mutoscope-Account", b"ann"), (b"Mutoscope-Account", b"bob")]
        _is_an_error(await one.http.get("account", headers=twice), 422)


async def test_without_credits(here: Service) -> None:
    async with here.person("poor", credits=PRICE - 1) as poor, door(here.url, poor.key) as one:
        answer = await one.ask()
        _is_an_error(answer, 402)
        assert answer.json()["title"] == "Insufficient credit"
        assert (await one.http.get("predictions")).json()["results"] == []


async def test_an_input_that_does_not_fit_names_its_fields(anns: Door) -> None:
    answer = await anns.ask(seconds="long", colour="red")
    _is_an_error(answer, 422)
    fields = {one["field"] for one in answer.json()["invalid_fields"]}
    assert fields == {"input.seconds", "input.colour"}
    assert "- input.seconds:" in answer.json()["detail"]


OTHER_SHAPES: list[tuple[Any, str]] = [
    ({}, "input"),
    ({"input": "text"}, "input"),
    ({"input": {}, "webhook": 3}, "webhook"),
    ({"input": {}, "webhook_events_filter": ["never"]}, "webhook_events_filter.0"),
    ({"input": {}, "stream": "perhaps"}, "stream"),
]
NO_PREDICTIONS = [b"", b"{", b"null", b"[]", b'"x"', b"\xff", b'{"input": {"a": NaN}}', b"[" * 100_000]
HEADERS = [
    {"Cancel-After": "soon"},
    {"Cancel-After": "4s"},
    {"Cancel-After": "-5"},
    {"Cancel-After": ""},
    {"Cancel-After": "٣٣s"},
    {"Prefer": "wait=0"},
    {"Prefer": "wait=61"},
    {"Prefer": "wait=9999999999"},
    {"Idempotency-Key": ""},
    {"Idempotency-Key": "x" * 256},
    {"Mutoscope-Account": "bob"},
]
VERSIONS = ["", "x", "a/b/c", "a b", "a/b:123", "g" * 64, "../x", "a/" + "b" * 300, "ä/ö", "a/b\x7f"]
QUERIES = [
    "cursor=%00",
    "cursor=zzz",
    "cursor=gen_1",
    "cursor=file_00000000000000000000000000",
    "cursor=" + "x" * 100,
    "created_after=yesterday",
    "created_before=9999-99-99",
    "created_after=0001-01-01T00:00:00%2B14:00",
    "created_after=",
    "source=moon",
]
NOT_THERE = ["x", "gen_00000000000000000000000000", "%00", "%F0%9F%98%80", "x" * 500]
NOWHERE = [
    ("GET", "nothing", 404),
    ("GET", "", 404),
    ("GET", "predictions/", 404),
    ("PUT", "predictions", 405),
    ("DELETE", "predictions/x", 405),
    ("GET", "models/a/b/predictions", 405),
    ("GET", "models/%2E%2E/account", 404),
    ("GET", "models/a%2Fb/c", 404),
    ("GET", "models/a/b/versions/1", 404),
    ("GET", "collections/%2E%2E", 404),
    ("GET", "deployments/a/b", 404),
    ("GET", "search?query=" + "x" * 2000, 422),
    ("QUERY", "models", 422),
]
NO_WEBHOOKS = [
    "",
    "x",
    "ftp://a.example/",
    "https://me:pw@a.example/",
    "https://a b/",
    "https://a.example/" + "x" * 2050,
]


async def test_a_body_of_another_shape_names_its_fields(anns: Door) -> None:
    for body, field in OTHER_SHAPES:
        answer = await anns.http.post(ECHO, json=body)
        _is_an_error(answer, 422)
        assert answer.json()["invalid_fields"][0]["field"] == field


async def test_a_body_that_is_no_prediction(anns: Door) -> None:
    for content in NO_PREDICTIONS:
        answer = await anns.http.post(ECHO, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}, content[:20]
        assert answer.json()["detail"]
    answer = await anns.http.post(ECHO, content=b'{"input": {"text": "\\u0000"}}')
    _is_an_error(answer, 422)
    assert [one["field"] for one in answer.json()["invalid_fields"]] == ["input.text"]
    assert "errors" not in answer.json(), "which is what the other API says"


async def test_an_error_says_nothing_of_the_code_behind_it(anns: Door) -> None:
    for path in (ECHO, "predictions"):
        for content in (b"[]", b'"x"', b'{"input": []}', b'{"input": {"seconds": ' + b"9" * 5000 + b"}}"):
            answer = await anns.http.post(path, content=content)
            for word in ("CreatePrediction", "CreateVersionPrediction", "dictionary", "sys.", "int_max_str"):
                assert word not in answer.text, answer.text
            assert answer.json()["detail"]


async def test_a_body_without_a_media_type_is_read_all_the_same(anns: Door) -> None:
    answer = await anns.http.post(ECHO, content=b'{"input": {"text": "a", "output": "text"}}')
    assert answer.status_code == 201


async def test_a_body_that_is_too_large(anns: Door) -> None:
    answer = await anns.ask(text="x" * 1_100_000)
    _is_an_error(answer, 413)
    assert answer.json().keys() == {"title", "detail", "status", "limit_bytes"}
    assert answer.headers["connection"] == "close"

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    _is_an_error(await anns.http.post(ECHO, content=chunks()), 413)


async def test_headers_that_cannot_be(anns: Door, bobs: Door) -> None:
    for headers in HEADERS:
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        answer = await anns.http.post(ECHO, json={"input": {}}, headers=given)
        assert answer.status_code in {403, 422}, answer.text
        assert answer.json()["detail"]
    for one in (anns, bobs):
        assert (await one.http.get("predictions")).json()["results"] == []


async def test_references_queries_ids_and_webhooks_that_name_nothing(anns: Door) -> None:
    for version in VERSIONS:
        _is_an_error(await anns.ask("predictions", body={"version": version}), 422)
    for query in QUERIES:
        _is_an_error(await anns.http.get(f"predictions?{query}"), 422)
    for path in ("trainings?cursor=zzz", "files?cursor=zzz", "files?cursor=gen_00000000000000000000000000"):
        _is_an_error(await anns.http.get(path), 422)
    for prediction_id in NOT_THERE:
        _is_an_error(await anns.http.get(f"predictions/{prediction_id}"), 404)
        _is_an_error(await anns.http.post(f"predictions/{prediction_id}/cancel"), 404)
    for webhook in NO_WEBHOOKS:
        _is_an_error(await anns.ask(body={"webhook": webhook}), 422)


async def test_paths_that_lead_nowhere(anns: Door) -> None:
    for method, path, status in NOWHERE:
        _is_an_error(await anns.http.request(method, path), status)
