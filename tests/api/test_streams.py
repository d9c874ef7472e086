"""Streams over HTTP: events with ids, resumed by them, and readers that stall or go away."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from mutoscope.web.event_stream import EventStream
from tests.api.service import Json, Person, Service, service
from tests.api.sse import read, text
from tests.world import RunnerProcess, echo, settings_for, until


@pytest.fixture
async def here(database_url: str, tmp_path: Path, runner: RunnerProcess) -> AsyncGenerator[Service]:
    scribe = {"reference": "mutoscope/scribe", "price": {"per_run": 3}, "stream": True}
    streams = {"stalled_s": 0.5, "max_readers_per_account": 2}
    settings = settings_for(database_url, tmp_path, runner, models={"scribe": scribe, "echo": echo()}, streams=streams)
    async with service(settings, runner, webhooks=True) as one:
        yield one


async def ask(person: Person, **inputs: Any) -> Json:
    values = {"prompt": "coin", "max_tokens": 30, "tokens_per_second": 60, **inputs}
    answer = await person.http.post("/v1/generations", json={"model": "scribe", "input": values})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_the_text_comes_as_events_and_is_the_output(ann: Person) -> None:
    made = await ask(ann, tokens_per_second=10)
    events = await read(ann.http, made["stream"])
    assert (events[-1].event, json.loads(events[-1].data)) == ("done", {"status": "completed"})
    ended = (await ann.http.get(f"/v1/generations/{made['id']}")).json()
    assert text(events) == "".join(ended["output"])
    assert len(events) > 2, "the text came while it was made"


async def test_a_broken_connection_goes_on_behind_the_last_event(ann: Person) -> None:
    made = await ask(ann)
    events = await read(ann.http, made["stream"], most=3)
    while events[-1].event != "done":
        events += await read(ann.http, made["stream"], events[-1].id, most=3)
    ended = (await ann.http.get(f"/v1/generations/{made['id']}")).json()
    assert text(events) == "".join(ended["output"])


async def test_what_cannot_be_followed_says_so(ann: Person, bob: Person) -> None:
    made = await ask(ann)
    plain = (await ann.ask("x")).json()
    assert plain["stream"] is None
    for person, url, headers, status, code in (
        (bob, made["stream"], {}, 404, "not_found"),
        (ann, "/v1/generations/gen_nobody/stream", {}, 404, "not_found"),
        (ann, f"/v1/generations/{plain['id']}/stream", {}, 409, "not_streamed"),
        (ann, made["stream"], {"Last-Event-ID": "mine"}, 422, "invalid_request"),
    ):
        answer = await person.http.get(url, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_reader_too_many_is_told_to_come_later(ann: Person, here: Service) -> None:
    made = await ask(ann, max_tokens=2000, tokens_per_second=20)
    readers = [asyncio.create_task(read(ann.http, made["stream"])) for _ in range(2)]
    await until(lambda: _readers(here, 2))
    answer = await ann.http.get(made["stream"])
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "5"
    await ann.http.post(f"/v1/generations/{made['id']}/cancel")
    for events in await asyncio.gather(*readers):
        assert (events[-1].event, json.loads(events[-1].data)) == ("done", {"status": "canceled"})


async def test_a_reader_that_takes_nothing_is_dropped() -> None:
    """Without an end, so that it can tell that there is more; and what it read from is closed."""
    sent: list[Message] = []
    closed = asyncio.Event()

    async def events() -> AsyncGenerator[bytes]:
        try:
            yield b"first"
            yield b"second"
        finally:
            closed.set()

    async def send(message: Message) -> None:
        sent.append(message)
        if message.get("body") == b"second":
            await asyncio.Event().wait()  # its buffer is full, and stays full

    async with asyncio.timeout(20):
        await EventStream(events(), stalled_s=0.05).stream_response(send)
    assert closed.is_set()
    assert [one.get("body") for one in sent] == [None, b"first", b"second"]


async def _readers(here: Service, wanted: int) -> bool:
    return here.runtime.streams._readers.total() == wanted


async def test_a_reader_that_goes_away_is_forgotten(ann: Person, here: Service) -> None:
    made = await ask(ann, max_tokens=2000, tokens_per_second=20)
    await read(ann.http, made["stream"], most=2)
    await until(lambda: _readers(here, 0))
    assert here.runtime.streams._pumps == {}
    await ann.http.post(f"/v1/generations/{made['id']}/cancel")


async def test_a_service_that_stops_lets_its_readers_go(ann: Person, here: Service) -> None:
    made = await ask(ann, max_tokens=2000, tokens_per_second=20)
    reading = asyncio.create_task(read(ann.http, made["stream"]))
    await until(lambda: _readers(here, 1))
    here.stopping.set()
    events = await asyncio.wait_for(reading, 20)
    assert "done" not in {one.event for one in events}
    await ann.http.post(f"/v1/generations/{made['id']}/cancel")
