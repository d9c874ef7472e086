"""Streams of output as they travel: server-sent events (WHATWG HTML, 9.2).

Replicate names four events: ``output`` carries a piece of text (or a file's URL), ``logs`` a piece of the logs,
``error`` a sentence, and ``done`` ends the stream with ``{}``, ``{"reason": "canceled"}`` or ``{"reason": "error"}``.
Every event has an id; a client whose connection broke sends the last one as ``Last-Event-ID`` and gets what came after.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mutoscope.core.errors import MutoscopeError

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE = b": keep-alive\n\n"
"""A comment, which readers skip; sent when there is nothing else to send, so that nobody closes the connection."""
MAX_EVENT_CHARACTERS = 2**20


class BadStream(MutoscopeError):
    """The stream is not what it should be; reading again from the last id may help."""

    status, code, title, retryable = 502, "bad_stream", "The stream of output is broken", True


def as_streamed(text: str) -> str:
    """The data of one event as it arrives: a line may end in three ways, and the reader gets a new line for each."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event."""

    event: str
    data: str = ""
    id: str | None = None

    def encode(self) -> bytes:
        """The event as it is sent. A carriage return in ``data`` cannot travel, see ``as_streamed``."""
        lines = [f"event: {self.event}"]
        if self.id is not None:
            lines.append(f"id: {self.id}")
        lines += [f"data: {line}" for line in as_streamed(self.data).split("\n")]
        return ("\n".join(lines) + "\n\n").encode()


@dataclass(slots=True)
class StreamParser:
    """Makes events of lines, one after the other, without their ends.

    A line ends with a new line, a carriage return or both, and with nothing else that Unicode calls a line break.

    Attributes:
        last_id: The id of the last event, to go on from.
        retry_s: How long the server wants clients to wait before they connect again, if it said so.
    """

    last_id: str | None = None
    retry_s: float | None = None
    _event: str = ""
    _data: list[str] = field(default_factory=list[str])
    _size: int = 0

    def feed(self, line: str) -> Iterator[StreamEvent]:
        """Take one line; an empty one may complete an event. Raises ``BadStream`` if an event is too large."""
        self._size += len(line)
        if self._size > MAX_EVENT_CHARACTERS:
            raise BadStream(f"An event of the stream is larger than {MAX_EVENT_CHARACTERS} characters.")
        if line:
            self._take(line)
            return
        event, data, self._event, self._data, self._size = self._event, self._data, "", [], 0
        if data or event:
            yield StreamEvent(event or "message", "\n".join(data), self.last_id)

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self.last_id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) < 10:
                self.retry_s = int(value) / 1000
            case _:
                return  # a comment, or a field of the future
