"""Replicate's adapter against servers that misbehave: every end of a call is told apart, and the token stays home."""

import socket
from typing import Any

import httpx
import pytest

from mutoscope.providers.answers import MAX_RETRY_AFTER_S
from mutoscope.providers.base import (
    AnswerLost,
    CreateRefused,
    PredictionMissing,
    ProviderDown,
    ProviderError,
    Rate,
    Throttled,
)
from mutoscope.providers.replicate import Replicate
from tests.providers.benches import request
from tests.providers.reads import MADE, READS
from tests.providers.servers import ScriptedServer, answer, scripted_server

CREATE = request("acme/painter", "a cat")
GARBAGE = [b"", b"<html>502</html>", b"[]", b"null", b'"words"', b'{"id": 7', b"\xff\xfe\x00", b"[" * 50_000]


# What is sent.


@pytest.mark.parametrize(
    ("reference", "path", "version"),
    [
        ("acme/painter", "/v1/models/acme/painter/predictions", None),
        ("deployments/acme/fast", "/v1/deployments/acme/fast/predictions", None),
        (f"acme/painter:{'a' * 64}", "/v1/predictions", "a" * 64),
        ("b" * 64, "/v1/predictions", "b" * 64),
    ],
)
async def test_a_create_is_sent_once_and_whole(
    server: ScriptedServer, replicate: Replicate, reference: str, path: str, version: str | None
) -> None:
    server.will(answer(201, MADE))
    await replicate.create(request(reference, "a cat", webhook="https://us.example/?ref=r", cancel_after_s=90))
    (asked,) = server.asked
    body = httpx.Response(200, content=asked.body).json()
    assert (asked.method, asked.path, body.get("version")) == ("POST", path, version)
    assert (asked.headers["authorization"], asked.headers["cancel-after"]) == ("Bearer secret-token", "1m30s")
    assert (body["webhook"], body["webhook_events_filter"]) == ("https://us.example/?ref=r", ["completed"])
    assert body["input"]["text"] == "a cat"
    assert "prefer" not in asked.headers


# How a create can end.


async def test_nobody_there_is_down(server: ScriptedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    replicate = Replicate(f"http://127.0.0.1:{port}", "secret-token")
    with pytest.raises(ProviderDown):
        await replicate.create(CREATE)
    for read in READS.values():
        with pytest.raises(ProviderDown):
            await read(replicate)
    await replicate.aclose()


@pytest.mark.parametrize(
    "turn", ["drop", "silence", b"HTTP/1.1 201 Cr", b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{"]
)
async def test_a_broken_connection_loses_the_answer(server: ScriptedServer, replicate: Replicate, turn: Any) -> None:
    replicate._calls.http.timeout = httpx.Timeout(0.3)
    server.will(turn)
    with pytest.raises(AnswerLost):
        await replicate.create(CREATE)
    assert len(server.asked) == 1, "a create is never repeated"
    for read in READS.values():
        with pytest.raises(ProviderDown):
            await read(replicate)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
async def test_a_server_error_loses_the_answer(server: ScriptedServer, replicate: Replicate, status: int) -> None:
    server.will(answer(status, {"detail": "oh"}))
    with pytest.raises(AnswerLost, match="oh"):
        await replicate.create(CREATE)
    assert len(server.asked) == 1
    for read in READS.values():
        with pytest.raises(ProviderDown):
            await read(replicate)


@pytest.mark.parametrize("body", GARBAGE)
async def test_an_answer_that_cannot_be_read_is_lost(server: ScriptedServer, replicate: Replicate, body: bytes) -> None:
    server.will(answer(201, body))
    with pytest.raises(AnswerLost):
        await replicate.create(CREATE)
    server.will(answer(200, body))
    for read in READS.values():
        with pytest.raises(ProviderDown):
            await read(replicate)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422])
@pytest.mark.parametrize("body", [{"detail": "No, because"}, {"title": "No, because"}, b"No, because"])
async def test_a_client_error_is_a_refusal(
    server: ScriptedServer, replicate: Replicate, status: int, body: Any
) -> None:
    server.will(answer(status, body))
    with pytest.raises(CreateRefused, match="No, because"):
        await replicate.create(CREATE)
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", GARBAGE)
async def test_a_refusal_in_no_known_form_is_one_all_the_same(
    server: ScriptedServer, replicate: Replicate, body: bytes
) -> None:
    server.will(answer(422, body))
    with pytest.raises(CreateRefused):
        await replicate.create(CREATE)
    server.will(answer(429, body))
    with pytest.raises(Throttled):
        await replicate.create(CREATE)


SENTENCE = "Request was throttled. Your rate limit resets in ~30s."


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (answer(429, {"detail": SENTENCE, "retry_after": 5}, Retry_After="2"), 2),
        (answer(429, {"detail": SENTENCE, "retry_after": 5}), 5),
        (answer(429, {"detail": SENTENCE}), 30),
        (answer(429, {"detail": "Your rate limit resets in 1.5 s"}), 1.5),
        (answer(429, {"detail": "slowly"}), 5),
        (answer(429), 5),
        (answer(429, {"retry_after": 5}, Retry_After="Thu, 01 Jan 2026 00:00:30 GMT"), 5),
        (answer(429, {"retry_after": 5}, Retry_After="nan"), 5),
        (answer(429, {"retry_after": 5}, Retry_After="inf"), 5),
        (answer(429, {"retry_after": None, "detail": SENTENCE}), 30),
        (answer(429, Retry_After="-3"), 0.1),
        (answer(429, Retry_After="86400"), MAX_RETRY_AFTER_S),
    ],
)
async def test_a_429_is_obeyed_by_its_own_clock(
    server: ScriptedServer, replicate: Replicate, said: bytes, seconds: float
) -> None:
    server.will(said)
    with pytest.raises(Throttled) as throttled:
        await replicate.create(CREATE)
    assert throttled.value.retry_after_s == seconds
    for read in READS.values():
        with pytest.raises(Throttled) as throttled:
            await read(replicate)
        assert throttled.value.retry_after_s == seconds


LOW_CREDIT = (
    "Request was throttled. Your rate limit for creating predictions is reduced to 6 requests per minute with a burst "
    "of 1 requests while you have less than $5.0 in credit. Your rate limit resets in ~5s."
)


@pytest.mark.parametrize(
    ("said", "rate"),
    [
        (LOW_CREDIT, Rate(6, 1)),
        ("reduced to 60 requests per minute while you have no card", Rate(60, 1)),
        ("reduced to 0 requests per minute with a burst of 0", Rate(1, 1)),
        (SENTENCE, None),
        ("reduced to a few requests per minute", None),
    ],
)
async def test_a_429_may_tell_a_rate(
    server: ScriptedServer, replicate: Replicate, said: str, rate: Rate | None
) -> None:
    server.will(answer(429, {"detail": said, "status": 429, "retry_after": 5}))
    with pytest.raises(Throttled) as throttled:
        await replicate.create(CREATE)
    assert (throttled.value.rate, throttled.value.retry_after_s) == (rate, 5)


async def test_a_redirect_is_not_followed_with_the_token(server: ScriptedServer, replicate: Replicate) -> None:
    async with scripted_server() as elsewhere:
        elsewhere.will(answer(201, MADE))
        for status in (301, 302, 307, 308):
            server.will(answer(status, Location=f"{elsewhere.url}/v1/predictions"))
            with pytest.raises(ProviderError):
                await replicate.create(CREATE)
            with pytest.raises(ProviderError):
                await replicate.get("p1")
        assert elsewhere.asked == []


# Reading.


async def test_unknown_fields_and_statuses_are_read(server: ScriptedServer, replicate: Replicate) -> None:
    server.will(answer(200, MADE | {"status": "pondering", "new": {"field": 1}, "metrics": None, "input": None}))
    found = await replicate.get("p1")
    assert (found.status, found.terminal, found.predict_time_s) == ("pondering", False, None)


async def test_what_is_missing_is_missing(server: ScriptedServer, replicate: Replicate) -> None:
    server.will(answer(404, {"detail": "no"}))
    for call in (replicate.get("p1"), replicate.cancel("p1")):
        with pytest.raises(PredictionMissing):
            await call
    with pytest.raises(CreateRefused):
        await replicate.openapi_schema("acme/painter")


async def test_a_refused_read_is_neither_down_nor_missing(server: ScriptedServer, replicate: Replicate) -> None:
    server.will(answer(401, {"detail": "You did not pass a valid authentication token"}))
    for read in READS.values():
        with pytest.raises(ProviderError, match="valid authentication token") as refused:
            await read(replicate)
        assert not isinstance(refused.value, ProviderDown | PredictionMissing | Throttled)


async def test_a_bare_version_has_no_schema_that_could_be_looked_up(replicate: Replicate) -> None:
    with pytest.raises(CreateRefused, match="owner/name:version"):
        await replicate.openapi_schema("b" * 64)
