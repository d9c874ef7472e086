"""Where a reader of a stream is, pure: in which attempt, and how many characters of it the reader has had.

That is the id of every event. It does not depend on how the text was cut into events, so a reader may go on in the text
that was streamed, in that of another process, or in the output itself once that is there. Characters are counted in
the text as events carry it, which have no carriage returns.
"""

import re
from dataclasses import dataclass, replace
from typing import Any, cast

from mutoscope.core.errors import InvalidRequest
from mutoscope.replicate_protocol.streams import as_streamed

_ID = re.compile(r"(\d{1,9})-(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the text of an attempt."""

    attempt: int = 0
    chars: int = 0

    def __str__(self) -> str:
        """The id of an event that ends here."""
        return f"{self.attempt}-{self.chars}"

    def after(self, text: str) -> "Position":
        """The place behind ``text``."""
        return replace(self, chars=self.chars + len(text))


def parse_position(text: str | None) -> Position:
    """The place that a ``Last-Event-ID`` names; the beginning for none.

    Raises:
        InvalidRequest: It is no id of ours.
    """
    if not text:
        return Position()
    if (found := _ID.fullmatch(text)) is None:
        raise InvalidRequest(f"{text[:40]!r} is not the id of an event of this stream; leave it out to begin anew.")
    return Position(int(found[1]), int(found[2]))


def text_of(output: Any) -> str | None:
    """The text that an output is, as it is streamed: itself, or its pieces put together; ``None`` for something else.

    Each piece was an event, so the ends of its lines are those of its own event: a carriage return at the end of one
    piece and a new line at the beginning of the next are two ends.
    """
    if isinstance(output, str):
        return as_streamed(output)
    if isinstance(output, list):
        pieces = cast("list[Any]", output)
        if all(isinstance(piece, str) for piece in pieces):
            return "".join(as_streamed(piece) for piece in pieces)
    return None
