"""``/streams/...``: output piece by piece as server-sent events, open to all who know the URL, which cannot be guessed.

A stream is only a view of the prediction, so that a client may connect late, again, or many times.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mutoscope.core.errors import NotFound
from mutoscope.replicate_protocol.streams import KEEP_ALIVE, MEDIA_TYPE, StreamEvent
from mutoscope.runner.connection import break_off
from mutoscope.runner.records import Record
from mutoscope.runner.routes.body import runner

_KEEP_ALIVE_S = 15
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_REASONS = {"canceled": '{"reason": "canceled"}', "aborted": '{"reason": "canceled"}', "failed": '{"reason": "error"}'}


async def get(request: Request) -> Response:
    """``GET /streams/{id}/{key}``."""
    service, key = runner(request), request.path_params["key"]
    record = service.find(request.path_params["prediction_id"])
    known = hmac.compare_digest(record.folder.encode(), key.encode())
    if not known or not record.streams or record.data_removed:
        raise NotFound("The requested resource could not be found.")
    spoilt = service.spoilt.get(record.id)
    events = _bytes(_cut(request, _events(request, record), spoilt.stream_cut if spoilt else 0))
    return StreamingResponse(events, media_type=MEDIA_TYPE, headers=_HEADERS)


async def _events(request: Request, record: Record) -> AsyncIterator[StreamEvent | None]:
    """What the client has not had, as it comes; ``None`` when there has been nothing for a while."""
    service, sent = runner(request), _resumed(request.headers.get("last-event-id", ""))
    while True:
        live = service.lifecycle.live.get(record.id)
        changed = live.changed if live else None
        for item in _pieces(record)[sent:]:
            yield StreamEvent("output", service.addresses.link(str(item)), str(sent))
            sent += 1
        if record.terminal or changed is None:
            break
        try:
            async with asyncio.timeout(_KEEP_ALIVE_S):
                await changed.wait()
        except TimeoutError:
            yield None
    end = str(len(_pieces(record)))
    if record.status == "failed":
        yield StreamEvent("error", record.error or "The prediction failed.", end)
    yield StreamEvent("done", _REASONS.get(record.status, "{}"), end)


def _pieces(record: Record) -> list[Any]:
    output: object = record.output
    return cast("list[Any]", output) if isinstance(output, list) else []


def _resumed(last_id: str) -> int:
    """How many events a client that had this one last has had."""
    return int(last_id) + 1 if last_id.isascii() and last_id.isdigit() and len(last_id) < 10 else 0


async def _cut(
    request: Request, events: AsyncIterator[StreamEvent | None], keep: int
) -> AsyncIterator[StreamEvent | None]:
    """The first ``keep`` events and then a closed connection; all of them if it is 0."""
    left = keep
    async for event in events:
        if keep and not left:
            await break_off(request)
            return
        left -= event is not None
        yield event


async def _bytes(events: AsyncIterator[StreamEvent | None]) -> AsyncIterator[bytes]:
    async for event in events:
        yield KEEP_ALIVE if event is None else event.encode()


ROUTES = [Route("/streams/{prediction_id}/{key}", get, methods=["GET"])]
