"""Answers that are server-sent events: closed when the reader takes nothing for too long, or goes away."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from mutoscope.replicate_protocol.streams import MEDIA_TYPE

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class ReaderStalled(Exception):
    """The reader has taken nothing for too long."""


class EventStream(StreamingResponse):
    """One stream.

    Args:
        events: The encoded events. Each is made only when the one before has been taken.
        stalled_s: How long a reader may take nothing.
    """

    def __init__(self, events: AsyncGenerator[bytes], *, stalled_s: float) -> None:
        super().__init__(events, media_type=MEDIA_TYPE, headers=_HEADERS)
        self._events, self._stalled_s = events, stalled_s

    async def stream_response(self, send: Send) -> None:
        """Send what there is; a reader that has stalled is left where it stands."""

        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._stalled_s):
                    await send(message)
            except TimeoutError as late:
                raise ReaderStalled from late

        async with aclosing(self._events):
            try:
                await super().stream_response(send_in_time)
            except ReaderStalled:
                # Without an end the server closes the connection, and the reader can tell that there is more.
                return
