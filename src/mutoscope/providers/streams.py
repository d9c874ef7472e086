"""Reads a provider's server-sent events: bounded, and with the token only where it belongs."""

import codecs
from collections.abc import AsyncGenerator, AsyncIterator

import httpx

from mutoscope.providers.answers import words
from mutoscope.providers.base import ProviderDown, StreamGone
from mutoscope.providers.calls import Calls
from mutoscope.replicate_protocol.streams import MAX_EVENT_CHARACTERS, MEDIA_TYPE, BadStream, StreamEvent, StreamParser


async def read_stream(calls: Calls, url: str, last_event_id: str | None) -> AsyncGenerator[StreamEvent]:
    """One connection's events; see ``Provider.stream``."""
    headers = {"Accept": MEDIA_TYPE, "Cache-Control": "no-store"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    try:
        async with calls.open_stream(url, headers) as answer:
            _check(answer)
            parser = StreamParser(last_id=last_event_id)
            async for line in _lines(answer.aiter_bytes()):
                for event in parser.feed(line):
                    yield event
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderDown(f"Replicate's stream broke: {words(error)}") from error


def _check(answer: httpx.Response) -> None:
    status, media_type = answer.status_code, answer.headers.get("content-type", "").partition(";")[0].strip()
    if status == 429 or status >= 500:
        raise ProviderDown(f"Replicate answers {status} for a stream")
    if status != 200 or media_type != MEDIA_TYPE:
        raise StreamGone(f"Replicate has no stream there: {status} {media_type}")


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Lines that end with a new line, a carriage return or both, and with nothing else. The last one must end too."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest, skip_newline = "", False
    async for chunk in chunks:
        text = decoder.decode(chunk)
        if skip_newline and text:
            text, skip_newline = text.removeprefix("\n"), False
        skip_newline = skip_newline or text.endswith("\r")
        *whole, rest = (rest + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if len(rest) > MAX_EVENT_CHARACTERS:
            raise BadStream(f"A line of the stream is longer than {MAX_EVENT_CHARACTERS} characters.")
        for line in whole:
            yield line
