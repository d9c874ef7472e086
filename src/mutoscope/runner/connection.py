"""Lets a route close the connection without an answer, which HTTP servers do not offer by themselves."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

from mutoscope.runner.problems import Broken

_STATE_KEY = "drop_connection"


class DroppableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which hands each request the means to end its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Remember how to close this connection, in the state that every request of it gets."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _STATE_KEY: transport.close}


class Dropped(Broken):
    """The connection is gone; whatever is answered now reaches nobody."""


async def break_off(request: Request) -> None:
    """Close the connection of an answer that has begun: an error now would be one of the server's own."""
    with suppress(Dropped):
        await drop(request)


async def drop(request: Request) -> None:
    """Close the request's connection and leave the route.

    Raises:
        Dropped: Always.
    """
    state = cast("dict[str, Any]", request.scope.get("state", {}))
    close = cast("Callable[[], None] | None", state.get(_STATE_KEY))
    if close is not None:
        close()
        while (await request.receive())["type"] != "http.disconnect":
            continue
    raise Dropped("The connection was to be dropped (asked for by a fault), but this server cannot do that.")
