"""Server-sent events survive being written and read."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.replicate_protocol.streams import (
    MAX_EVENT_CHARACTERS,
    BadStream,
    StreamEvent,
    StreamParser,
    as_streamed,
)


def read(sent: bytes) -> list[StreamEvent]:
    parser = StreamParser()
    return [event for line in sent.decode().split("\n") for event in parser.feed(line)]


def test_every_line_is_sent_as_data() -> None:
    assert StreamEvent("output", "a\nb", "1:0").encode() == b"event: output\nid: 1:0\ndata: a\ndata: b\n\n"


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n")))


@given(TEXTS)
def test_what_is_written_is_read(texts: list[str]) -> None:
    """With the ends of its lines as they travel."""
    events = [StreamEvent("output", text, str(index)) for index, text in enumerate(texts)]
    read_again = [replace(event, data=as_streamed(event.data)) for event in events]
    assert read(b"".join(event.encode() for event in events)) == read_again


def test_comments_unknown_fields_and_missing_parts() -> None:
    text = b": hello\nretry: 1500\nretry: soon\ncolour: red\nid: 7\ndata: x\n\n\n\nevent: done\n\n"
    assert read(text) == [StreamEvent("message", "x", "7"), StreamEvent("done", "", "7")]
    parser = StreamParser()
    for line in text.decode().split("\n"):
        list(parser.feed(line))
    assert (parser.retry_s, parser.last_id) == (1.5, "7")


def test_an_event_has_a_largest_size() -> None:
    parser = StreamParser()
    half = "data: " + "x" * (MAX_EVENT_CHARACTERS // 2)
    assert not list(parser.feed(half))
    with pytest.raises(BadStream):
        list(parser.feed(half))
