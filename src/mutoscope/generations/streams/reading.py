"""What a reader of a stream learns from one look: from the tape while the text is made, then from the output.

Both are the same text, or else the reader is told to begin anew: another attempt may have made another text.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal

from mutoscope.db.engine import Database
from mutoscope.generations.models import Generation
from mutoscope.generations.states import Status
from mutoscope.generations.streams import tapes
from mutoscope.generations.streams.positions import Position, text_of

PIECE_CHARS = 16 * 1024


@dataclass(frozen=True, slots=True)
class News:
    """One thing that a reader learns.

    Attributes:
        kind: ``output``: more text. ``restart``: what was had so far is void, the text begins anew. ``error``: why it
            failed. ``done``: it has ended, ``completed``, ``failed`` or ``canceled``. ``nothing``: for a while.
        position: Where the reader is after it, to go on from.
        text: The text, the sentence, or the status.
        code: Of an error.
    """

    kind: Literal["output", "restart", "error", "done", "nothing"]
    position: Position
    text: str = ""
    code: str = ""


async def from_tape(database: Database, generation_id: str, at: Position) -> AsyncGenerator[News]:
    """What the tape has behind a position."""
    async with database.read() as session:
        tape = await tapes.look(session, generation_id)
    if tape is None or not tape.chars:
        return
    if at.attempt != tape.attempt or at.chars > tape.chars:
        was, at = at, Position(tape.attempt)
        if was.chars:
            yield News("restart", at)
    while at.chars < tape.chars:
        async with database.read() as session:
            text = await tapes.read(session, generation_id, at)
        if not text:
            return
        at = at.after(text)
        yield News("output", at, text)


async def last_news(database: Database, row: Generation, at: Position) -> AsyncGenerator[News]:
    """The rest of the text of a generation that has ended, and how it ended."""
    match Status(row.status):
        case Status.COMPLETED:
            async for news in _from_output(database, row, text_of(row.output) or "", at):
                at = news.position
                yield news
        case Status.FAILED | Status.CANCELED:
            async for news in from_tape(database, row.id, at):
                at = news.position
                yield news
            if row.status == Status.FAILED:
                yield News("error", at, row.failure_detail or "The generation failed.", row.failure_code or "")
        case Status.QUEUED | Status.PROCESSING:
            raise AssertionError("only what has ended has last news")
    yield News("done", at, row.status)


async def _from_output(database: Database, row: Generation, text: str, at: Position) -> AsyncGenerator[News]:
    if at.chars and not await _is_part_of(database, row, text, at):
        at = Position(row.attempt)
        yield News("restart", at)
    at = Position(row.attempt, at.chars)
    while rest := text[at.chars : at.chars + PIECE_CHARS]:
        at = at.after(rest)
        yield News("output", at, rest)


async def _is_part_of(database: Database, row: Generation, text: str, at: Position) -> bool:
    """Whether what the reader has had is how the output begins, as far as the tape still tells."""
    if at.attempt != row.attempt or at.chars > len(text):
        return False
    seen = Position(at.attempt)
    while seen.chars < at.chars:
        async with database.read() as session:
            piece = (await tapes.read(session, row.id, seen))[: at.chars - seen.chars]
        if not piece:
            return True  # forgotten; the reader had it from the output
        if not text.startswith(piece, seen.chars):
            return False
        seen = seen.after(piece)
    return True
