"""Streams as Replicate has them: events that its clients know, ids to go on from, a link that needs no key."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mutoscope.compat.streams import BEGUN_ANEW, _encoded
from mutoscope.generations.streams.positions import Position
from mutoscope.generations.streams.reading import News
from mutoscope.replicate_protocol.streams import StreamEvent, StreamParser
from tests.api import sse
from tests.api.service import Person, Service, service
from tests.api.sse import text
from tests.compat.door import Door, Json, door
from tests.world import RunnerProcess, echo, settings_for

SCRIBE = "models/mutoscope/scribe/predictions"


@pytest.fixture
async def here(database_url: str, tmp_path: Path, runner: RunnerProcess) -> AsyncGenerator[Service]:
    models = {"scribe": {"reference": "mutoscope/scribe", "price": {"per_run": 3}}, "echo": echo()}
    async with service(settings_for(database_url, tmp_path, runner, models=models), runner, webhooks=True) as one:
        yield one


async def start(door: Door, body: Json | None = None, **inputs: Any) -> Json:
    given = {"prompt": "coin", "max_tokens": 30, "tokens_per_second": 60, **inputs}
    answer = await door.http.post(SCRIBE, json={"input": given, **(body or {})})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def read(url: str, last: str | None = None, *, most: int | None = None) -> list[StreamEvent]:
    """As the JavaScript client does: with no key."""
    async with httpx.AsyncClient(timeout=60) as http:
        return await sse.read(http, url, last, most=most)


@pytest.mark.parametrize("asked", [{}, {"stream": True}, {"stream": False}])
async def test_the_text_comes_as_events_and_is_the_output(here: Service, anns: Door, asked: Json) -> None:
    """Whatever was asked for: as Replicate says, a model that streams has a stream."""
    made = await start(anns, asked, tokens_per_second=10)
    assert made["urls"]["stream"].startswith(f"{here.url}/replicate/streams/{made['id']}/")
    events = await read(made["urls"]["stream"])
    assert (events[-1].event, events[-1].data) == ("done", "{}")
    assert {one.event for one in events[:-1]} == {"output"}
    assert all(one.id for one in events)
    assert len(events) > 2, "the text came while it was made"
    done = await anns.reach(made["id"])
    assert text(events) == "".join(done["output"])
    assert done["urls"] == made["urls"]
    assert await read(made["urls"]["stream"], events[-2].id) == events[-1:], "long after it, too"


async def test_a_broken_connection_goes_on_behind_the_last_event(anns: Door) -> None:
    url = (made := await start(anns))["urls"]["stream"]
    events = await read(url, most=3)
    while events[-1].event != "done":
        events += await read(url, events[-1].id, most=3)
    assert text(events) == "".join((await anns.reach(made["id"]))["output"])


async def test_a_canceled_or_failed_prediction_says_so(anns: Door, ann: Person) -> None:
    made = await start(anns, max_tokens=2000, tokens_per_second=20)
    await read(made["urls"]["stream"], most=1)
    await anns.http.post(f"predictions/{made['id']}/cancel")
    events = await read(made["urls"]["stream"])
    assert (events[-1].event, events[-1].data) == ("done", '{"reason": "canceled"}')
    assert await ann.credits() == (1000, 0, 0)


async def test_why_it_failed_comes_before_the_end(here: Service, anns: Door) -> None:
    rule = {"do": {"fail": "list index out of range"}, "when": {"model": "mutoscope/scribe"}, "count": 1}
    here.runner.plan(rule)
    made = await start(anns)
    events = await read(made["urls"]["stream"])
    failed = await anns.reach(made["id"])
    assert failed["status"] == "failed"
    assert [(one.event, one.data) for one in events[-2:]] == [
        ("error", failed["error"]),
        ("done", '{"reason": "error"}'),
    ]


async def test_what_does_not_stream_has_no_link(anns: Door) -> None:
    created = await anns.start(body={"stream": True})
    assert "stream" not in created["urls"]


async def test_a_version_without_a_name_streams_if_it_is_asked_to(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    """Nobody knows its schema, so only the request can say."""
    settings = settings_for(database_url, tmp_path, runner, models={}, default_model={"price": {"per_run": 1}})
    async with service(settings, runner) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
        version = (await anns.http.get("models/mutoscope/scribe")).json()["latest_version"]["id"]
        body = {"version": version, "input": {"prompt": "coin", "max_tokens": 4}}
        assert "stream" not in (await anns.http.post("predictions", json=body)).json()["urls"]
        made = (await anns.http.post("predictions", json={**body, "stream": True})).json()
        events = await read(made["urls"]["stream"])
        assert text(events) == "".join((await anns.reach(made["id"]))["output"])


async def test_nobody_makes_a_link_for_himself(anns: Door, bobs: Door) -> None:
    hers, his = (await start(anns, max_tokens=2))["urls"]["stream"], (await start(bobs, max_tokens=2))["urls"]["stream"]
    done = await anns.run(output="file")
    for guess in (
        hers.replace(hers.split("/")[-1], his.split("/")[-1]),
        hers.replace(hers.split("/")[-1], "0" * 64),
        hers.replace(hers.split("/")[-1], "é"),
        hers.replace(hers.split("/")[-2], done["id"]),
        hers.replace(hers.split("/")[-1], done["output"].split("/")[-2]),
    ):
        assert (await bobs.http.get(guess)).status_code == 403, guess
    assert (await bobs.http.get(hers, headers={"Last-Event-ID": "mine"})).status_code == 422


async def test_text_that_is_begun_anew_is_an_error_that_clients_know() -> None:
    """And who reads again from there gets the new text."""

    async def news() -> AsyncGenerator[News]:
        yield News("output", Position(1, 3), "old")
        yield News("nothing", Position(1, 3))
        yield News("restart", Position(2, 0))
        yield News("output", Position(2, 3), "new")

    parser = StreamParser()
    lines = "".join([one.decode() async for one in _encoded(news())]).split("\n")
    events = [event for line in lines for event in parser.feed(line)]
    assert [(one.event, one.data, one.id) for one in events] == [
        ("output", "old", "1-3"),
        ("error", BEGUN_ANEW, "2-0"),
        ("done", '{"reason": "error"}', "2-0"),
    ]
