"""A provider's server-sent events against servers that misbehave, and over the fake and the real runner."""

import json
from typing import Any

import httpx
import pytest

from mutoscope.core.ids import new_id
from mutoscope.providers.base import PredictionRequest, ProviderDown, StreamEvent, StreamGone
from mutoscope.providers.replicate import Replicate
from mutoscope.replicate_protocol.streams import BadStream
from tests.providers.benches import FakeBench, RunnerBench
from tests.providers.servers import ScriptedServer, answer, scripted_server
from tests.world import RunnerProcess, until

SSE = {"Content_Type": "text/event-stream; charset=utf-8"}
THREE = "event: output\nid: 0\ndata: a\n\nevent: output\nid: 1\ndata: b\ndata: c\n\nevent: done\nid: 2\ndata: {}\n\n"


async def events(replicate: Replicate, url: str, last: str | None = None) -> list[StreamEvent]:
    return [event async for event in replicate.stream(url, last_event_id=last)]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
async def test_events_are_read_whatever_ends_their_lines(
    server: ScriptedServer, replicate: Replicate, end: str
) -> None:
    server.will(answer(200, (": hello\n\n" + THREE).replace("\n", end).encode(), **SSE))
    found = await events(replicate, f"{server.url}/streams/1")
    assert [(one.event, one.data, one.id) for one in found] == [
        ("output", "a", "0"), ("output", "b\nc", "1"), ("done", "{}", "2")
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["line\u2028separator", "next\x85line", "form\x0cfeed", "é中🙂", "a\u2029b"])
async def test_what_is_no_line_end_stays_in_the_text(server: ScriptedServer, replicate: Replicate, text: str) -> None:
    server.will(answer(200, f"event: output\nid: 0\ndata: {text}\n\n".encode(), **SSE))
    assert [one.data for one in await events(replicate, f"{server.url}/s")] == [text]


async def test_an_event_that_is_cut_is_not_one(server: ScriptedServer, replicate: Replicate) -> None:
    server.will(answer(200, THREE[:-1].encode(), **SSE))
    assert [one.data for one in await events(replicate, f"{server.url}/s")] == ["a", "b\nc"]


async def test_it_says_where_to_go_on(server: ScriptedServer, replicate: Replicate) -> None:
    server.will(answer(200, b"", **SSE))
    await events(replicate, f"{server.url}/s", last="41")
    assert server.asked[0].headers["last-event-id"] == "41"
    await events(replicate, f"{server.url}/s")
    assert "last-event-id" not in server.asked[1].headers


async def test_the_token_goes_to_the_api_only(server: ScriptedServer, replicate: Replicate) -> None:
    async with scripted_server() as elsewhere:
        for one in (server, elsewhere):
            one.will(answer(200, THREE.encode(), **SSE))
            assert len(await events(replicate, f"{one.url}/s")) == 3
        assert server.asked[0].headers["authorization"] == "Bearer secret-token"
        assert "authorization" not in elsewhere.asked[0].headers


@pytest.mark.parametrize(
    "turn",
    [answer(404), answer(410), answer(401), answer(302, Location="/x"), answer(200, b"{}", Content_Type="text/html")],
)
async def test_what_is_no_stream_is_gone(server: ScriptedServer, replicate: Replicate, turn: bytes) -> None:
    server.will(turn)
    with pytest.raises(StreamGone):
        await events(replicate, f"{server.url}/s")


@pytest.mark.parametrize("turn", [answer(500), answer(429), answer(503), "drop", b"HTTP/1.1 200 O"])
async def test_what_may_pass_is_down(server: ScriptedServer, replicate: Replicate, turn: Any) -> None:
    server.will(turn)
    with pytest.raises(ProviderDown):
        await events(replicate, f"{server.url}/s")


async def test_a_stream_that_breaks_off_keeps_what_came(server: ScriptedServer, replicate: Replicate) -> None:
    whole = answer(200, THREE.encode() + bytes(500), **SSE)
    server.will(whole[:-500])
    found: list[str] = []

    async def read() -> None:
        async for event in replicate.stream(f"{server.url}/s", last_event_id=None):
            found.append(event.data)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ProviderDown):
        await read()
    assert found == ["a", "b\nc", "{}"]


@pytest.mark.parametrize("line", [b"data: ", b"data: x\n" * 9])
async def test_an_event_without_end_is_not_kept(server: ScriptedServer, replicate: Replicate, line: bytes) -> None:
    server.will(answer(200, line + b"x" * 2_000_000 + b"\n\n", **SSE))
    with pytest.raises(BadStream):
        await events(replicate, f"{server.url}/s")


async def test_the_fake_streams_what_the_model_says() -> None:
    bench = FakeBench.make()
    made = await bench.provider.create(PredictionRequest("mutoscope/echo", {}, None, (), 60, stream=True))
    assert "stream" not in (await bench.provider.create(PredictionRequest("mutoscope/echo", {}, None, (), 60))).urls
    bench.provider.say(made.id, "a", "b")
    found = [one async for one in bench.provider.stream(made.urls["stream"], last_event_id=None)]
    bench.provider.say(made.id, "c")
    bench.provider.finish(made.id, "succeeded")
    found += [one async for one in bench.provider.stream(made.urls["stream"], last_event_id=found[-1].id)]
    assert [(one.event, one.data, one.id) for one in found] == [
        ("output", "a", "0"), ("output", "b", "1"), ("output", "c", "2"), ("done", "{}", "3")
    ]  # fmt: skip


async def test_the_runners_stream_is_the_output(runner: RunnerProcess) -> None:
    bench = RunnerBench.make(runner)
    values = {"prompt": new_id("prompt"), "max_tokens": 20, "tokens_per_second": 100}
    made = await bench.provider.create(PredictionRequest("mutoscope/scribe", values, None, (), 60, stream=True))
    found = await events(bench.provider, made.urls["stream"])
    ended = await until(lambda: _ended(bench.provider, made.id))
    assert [one.data for one in found if one.event == "output"] == ended.output
    assert json.loads(found[-1].data) == {}
    rest = await events(bench.provider, made.urls["stream"], last=found[4].id)
    assert rest == found[5:]
    assert httpx.URL(made.urls["stream"]).host
    await bench.provider.aclose()


async def _ended(provider: Replicate, prediction_id: str) -> Any:
    found = await provider.get(prediction_id)
    return found if found.terminal else None
