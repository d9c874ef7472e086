"""Puts the API behind a socket: bound first, so that links know the port; closed last, so that nothing is cut off."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from mutoscope.core.errors import ConfigurationError

SHUTDOWN_S = 10
BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; with port 0 on a free one.

    Raises:
        ConfigurationError: The address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves Nagle on
    except OSError as error:
        raise ConfigurationError(f"{host} is no address to listen on: {error.strerror}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a bound socket is reached from this machine."""
    bound, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, str(bound))  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@asynccontextmanager
async def serving(app: FastAPI, listener: socket.socket) -> AsyncGenerator[asyncio.Task[None]]:
    """Serve ``app`` for the length of the block, then let requests under way end.

    Gives the task that serves, which ends early only when something is wrong.

    Raises:
        ConfigurationError: The application did not start.
    """
    server = _Server(app)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="serve")
    up = asyncio.create_task(server.up.wait())
    try:
        await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
        if not server.started:
            await task
            raise ConfigurationError("The service could not start; see the log above.")
        yield task
    finally:
        up.cancel()
        if server.started:
            app.state.stopping.set()
        server.should_exit = True
        await task
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn that says when it is up, and leaves signals to the process that owns it."""

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            ws="none",
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, or fail to; then say so."""
        try:
            await super().startup(sockets)
        finally:
            self.up.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Take none."""
        yield
