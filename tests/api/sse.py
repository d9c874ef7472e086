"""Reads a stream of ours as a client would: event by event, from where it stopped."""

import httpx

from mutoscope.replicate_protocol.streams import StreamEvent, StreamParser


async def read(
    http: httpx.AsyncClient, url: str, last: str | None = None, *, most: int | None = None
) -> list[StreamEvent]:
    """All events of one connection, or at least ``most`` of them."""
    parser, found = StreamParser(), list[StreamEvent]()
    headers = {"Last-Event-ID": last} if last else {}
    async with http.stream("GET", url, headers=headers) as answer:
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
        async for line in answer.aiter_lines():
            found += parser.feed(line)
            if most and len(found) >= most:
                break
    return found


def text(events: list[StreamEvent]) -> str:
    return "".join(one.data for one in events if one.event == "output")
