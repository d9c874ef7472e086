"""Text while it is made, as Replicate streams it; for whoever holds the link: the JavaScript client sends no key.

The events are ``output``, ``error`` and ``done``, each with an id to go on from. Replicate has no event for text that
is begun anew, and clients break at one they do not know, so that is an error here: who reads again gets the new text.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutoscope.compat.problems import NOT_FOUND
from mutoscope.compat.requests import parts_of, stopping_of
from mutoscope.core.errors import NotFound
from mutoscope.generations.as_prediction import stream_name
from mutoscope.generations.models import Generation
from mutoscope.generations.streams.positions import parse_position
from mutoscope.generations.streams.service import News
from mutoscope.replicate_protocol.streams import KEEP_ALIVE, StreamEvent
from mutoscope.web.event_stream import EventStream

BEGUN_ANEW = "The prediction was begun anew, and its text with it. Read the stream again."
_REASONS = {"completed": {}, "canceled": {"reason": "canceled"}, "failed": {"reason": "error"}}


async def get(request: Request) -> Response:
    """``GET /streams/{generation}/{signature}``, from its beginning or from ``Last-Event-ID`` on."""
    parts, generation_id = parts_of(request), request.path_params["generation_id"]
    parts.links.verify_standing(stream_name(generation_id), request.path_params["signature"])
    after = parse_position(request.headers.get("last-event-id"))
    async with parts.database.read() as session:
        account_id = await session.scalar(select(Generation.account_id).where(Generation.id == generation_id))
    if account_id is None:
        raise NotFound(NOT_FOUND)
    row = await parts.streams.open(account_id, generation_id)
    news = parts.streams.follow(row, after, stopping_of(request))
    return EventStream(_encoded(news), stalled_s=parts.settings.streams.stalled_s)


async def _encoded(news: AsyncGenerator[News]) -> AsyncGenerator[bytes]:
    async with aclosing(news):
        async for one in news:
            yield _bytes(one)
            if one.kind == "restart":
                yield _event("done", json.dumps(_REASONS["failed"]), one)
                return


def _bytes(news: News) -> bytes:
    match news.kind:
        case "nothing":
            return KEEP_ALIVE
        case "output" | "error":
            return _event(news.kind, news.text, news)
        case "restart":
            return _event("error", BEGUN_ANEW, news)
        case "done":
            return _event("done", json.dumps(_REASONS[news.text]), news)


def _event(kind: str, data: str, news: News) -> bytes:
    return StreamEvent(kind, data, str(news.position)).encode()


ROUTES = [Route("/streams/{generation_id}/{signature}", get, methods=["GET"])]
