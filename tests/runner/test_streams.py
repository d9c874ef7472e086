"""Output piece by piece: read live, late, again from the middle, and after every kind of end."""

import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from mutoscope.replicate_protocol.streams import StreamEvent, StreamParser
from tests.runner.harness import Client, Json, eventually, running

SCRIBE = "mutoscope/scribe"


async def read(url: str, last_id: str | None = None) -> AsyncIterator[StreamEvent]:
    """As a client without a token does, whose connection may break."""
    headers = {"last-event-id": last_id} if last_id is not None else {}
    parser = StreamParser()
    async with httpx.AsyncClient(timeout=30) as http, http.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
        async for text in answer.aiter_text():
            for line in text.split("\n"):
                for event in parser.feed(line):
                    yield event


async def events(url: str, last_id: str | None = None) -> list[StreamEvent]:
    return [event async for event in read(url, last_id)]


async def write(runner: Client, **more: object) -> Json:
    return await runner.start({"prompt": "the", "max_tokens": 12, "seed": 3}, model=SCRIBE, **more)


async def test_a_text_is_streamed_and_is_the_output(runner: Client) -> None:
    created = await write(runner)
    seen = await events(created["urls"]["stream"])
    done = await runner.reach(created["id"], {"succeeded"})
    assert [event.event for event in seen] == ["output"] * 12 + ["done"]
    assert [event.data for event in seen[:-1]] == done["output"]
    assert [event.id for event in seen] == [str(index) for index in range(13)]
    assert seen[-1].data == "{}"
    assert "not AI" in done["logs"]


async def test_the_same_seed_and_prompt_give_the_same_text(runner: Client) -> None:
    texts = [(await runner.reach((await write(runner))["id"], {"succeeded"}))["output"] for _ in range(2)]
    assert texts[0] == texts[1]
    other = await runner.run({"prompt": "the", "max_tokens": 12, "seed": 4}, model=SCRIBE)
    assert other["output"] != texts[0]


async def test_a_client_may_come_late_and_go_on_from_any_event(runner: Client) -> None:
    created = await write(runner)
    done = await runner.reach(created["id"], {"succeeded"})
    url = created["urls"]["stream"]
    assert [event.data for event in await events(url)] == [*done["output"], "{}"]
    assert [event.data for event in await events(url, "8")] == [*done["output"][9:], "{}"]
    assert [event.event for event in await events(url, "12")] == ["done"]
    assert len(await events(url, "nonsense")) == 13


async def test_words_come_while_it_runs(runner: Client) -> None:
    created = await runner.start({"max_tokens": 10_000, "tokens_per_second": 100}, model=SCRIBE)
    seen, last = 0, None
    async for last in read(created["urls"]["stream"]):
        seen += last.event == "output"
        if seen == 3 and last.event == "output":
            shown = await runner.get(created["id"])
            assert shown["status"] == "processing"
            assert 3 <= len(shown["output"]) < 10_000
            await runner.http.post(f"/v1/predictions/{created['id']}/cancel")
    assert last == StreamEvent("done", '{"reason": "canceled"}', str(seen))


async def test_a_stream_that_is_cut_loses_nothing(runner: Client, caplog: pytest.LogCaptureFixture) -> None:
    created = await write(runner, faults={"stream_cut": 5})
    seen: list[StreamEvent] = []
    connections = 0
    while not seen or seen[-1].event != "done":
        connections += 1
        with suppress(httpx.RemoteProtocolError):
            async for event in read(created["urls"]["stream"], seen[-1].id if seen else None):
                seen.append(event)  # noqa: PERF401 - what came before the cut is kept
    assert connections == 3
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR], "a fault that was asked for is none"
    assert [event.id for event in seen] == [str(index) for index in range(13)]
    assert [event.data for event in seen[:-1]] == (await runner.reach(created["id"], {"succeeded"}))["output"]


async def test_a_failure_is_an_event(runner: Client) -> None:
    created = await write(runner, faults={"fail": "no more paper"})
    seen = await events(created["urls"]["stream"])
    assert [(event.event, event.data) for event in seen] == [
        ("error", "no more paper"),
        ("done", '{"reason": "error"}'),
    ]


async def test_only_who_knows_the_url_reads_a_stream_and_only_models_that_stream_have_one(runner: Client) -> None:
    url = (await write(runner))["urls"]["stream"]
    assert (await runner.http.get(url[:-1])).status_code == 404
    assert (await runner.http.get(f"{runner.url}/streams/none/{url.rpartition('/')[2]}")).status_code == 404
    assert "stream" not in (await runner.start({}))["urls"]


async def test_a_stream_ends_with_the_retention(tmp_path: Path) -> None:
    async with running(tmp_path, retention_s=0.5) as runner:
        created = await write(runner)
        await eventually(lambda: runner.get(created["id"]), lambda shown: shown["data_removed"])
        assert (await runner.http.get(created["urls"]["stream"])).status_code == 404
