"""``/v1/generations/{id}/stream``: the text while it is made, as server-sent events."""

import json
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import Header, Request
from starlette.responses import Response

from mutoscope.api import problems
from mutoscope.api.callers import OnBehalf
from mutoscope.api.parts import Parts
from mutoscope.api.routers import new_router
from mutoscope.api.routes.generations import GenerationId
from mutoscope.generations.streams.positions import parse_position
from mutoscope.generations.streams.service import News
from mutoscope.replicate_protocol.streams import KEEP_ALIVE, MEDIA_TYPE, StreamEvent
from mutoscope.web.event_stream import EventStream

router = new_router("generations")

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `output` (text), `restart` (forget what came), `error` and `done`, each with an id.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/generations/{generation_id}/stream",
    response_class=Response,
    responses={**_STREAM, **problems.responses(404, 409, 429)},
    summary="Follow the text",
)
async def follow(
    generation_id: GenerationId,
    request: Request,
    parts: Parts,
    on_behalf: OnBehalf,
    last_event_id: Annotated[
        str | None, Header(max_length=64, description="The id of the last event you have, to go on behind it.")
    ] = None,
) -> EventStream:
    """The text from its beginning, or from ``Last-Event-ID`` on, until it ends. A broken connection loses nothing."""
    after = parse_position(last_event_id)
    row = await parts.streams.open(on_behalf.account_id, generation_id)
    news = parts.streams.follow(row, after, request.app.state.stopping)
    return EventStream(_encoded(news), stalled_s=parts.settings.streams.stalled_s)


async def _encoded(news: AsyncGenerator[News]) -> AsyncGenerator[bytes]:
    try:
        async for one in news:
            yield _bytes(one)
    finally:
        await news.aclose()


def _bytes(news: News) -> bytes:
    match news.kind:
        case "nothing":
            return KEEP_ALIVE
        case "output":
            data = news.text
        case "restart":
            data = "{}"
        case "error":
            data = json.dumps({"code": news.code, "detail": news.text})
        case "done":
            data = json.dumps({"status": news.text})
    return StreamEvent(news.kind, data, str(news.position)).encode()
