"""Puts the runner behind HTTP: the Starlette app, and uvicorn around it on an address of this machine."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from mutoscope.core.errors import ConfigurationError, MutoscopeError
from mutoscope.core.stopping import ended_before
from mutoscope.runner.auth import BearerAuth
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.connection import DroppableProtocol
from mutoscope.runner.limiter import LimitRequests
from mutoscope.runner.predictors.reload import reload_on_change
from mutoscope.runner.problems import on_crash, on_error, on_http_error
from mutoscope.runner.retention import sweep
from mutoscope.runner.routes import (
    account,
    cogs,
    control,
    deployments,
    models,
    outputs,
    predictions,
    search,
    streams,
    trainings,
    uploads,
    versions,
)
from mutoscope.runner.service import Runner

REPLICATE = (account, deployments, models, predictions, search, trainings, uploads, versions)
OWN = (cogs, control, outputs, streams)


def build_app(config: RunnerConfig) -> Starlette:
    """The runner as an ASGI application; ``app.state.runner`` is the running ``Runner`` during its lifespan.

    Under a server of your own, set ``config.public_url``; and faults that drop connections need ``serve``.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        runner = Runner(config)
        app.state.runner = runner
        tasks = [asyncio.create_task(sweep(runner.store, runner.files, runner.uploads, config.retention_s))]
        if config.reload:
            watched = config.predictors.items()
            tasks += [asyncio.create_task(reload_on_change(*one, runner.replace)) for one in watched]
        try:
            await runner.open()
            runner.recover()
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runner.aclose()

    return Starlette(
        routes=[route for module in (*REPLICATE, *OWN) for route in module.ROUTES],
        middleware=[
            Middleware(BearerAuth, tokens=[one for one in (config.token, *config.more_tokens) if one]),
            Middleware(LimitRequests, limit=config.request_limit),
        ],
        exception_handlers={MutoscopeError: on_error, HTTPException: on_http_error, Exception: on_crash},
        lifespan=lifespan,
    )


async def serve(
    config: RunnerConfig, *, ready: Callable[[str], None] | None = None, asked: asyncio.Event | None = None
) -> None:
    """Serve until cancelled, or asked to end.

    Args:
        config: How; with port 0 a free port is taken.
        ready: Called once with the base URL, such as ``http://127.0.0.1:41234``, when requests are served.
        asked: Set by whoever wants it to end, such as a signal (``core/stopping.py``).

    Raises:
        ConfigurationError: The address cannot be listened on, or a model that is asked for cannot be offered.
    """
    listener = _listen(config.host, config.port)
    host, port = listener.getsockname()[:2]
    url = (config.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}").rstrip("/")
    app = build_app(config.model_copy(update={"public_url": url}))
    with listener:
        async with app.router.lifespan_context(app):
            await _until_asked(_Server(app, url, ready), listener, asked or asyncio.Event())


async def _until_asked(server: "_Server", listener: socket.socket, asked: asyncio.Event) -> None:
    """Serve; at the end, however it comes, close connections first."""
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await ended_before(asked, serving)
    finally:
        server.should_exit = True
        await serving


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves Nagle on
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"The runner cannot listen on {host}:{port}: {error.strerror}.") from error
    return listener


class _Server(uvicorn.Server):
    """uvicorn, which tells the caller when it takes requests. The lifespan is ours, so that its errors reach him."""

    def __init__(self, app: Starlette, url: str, ready: Callable[[str], None] | None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=DroppableProtocol,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=2,
            ),
        )
        self._url = url
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self._ready:
            self._ready(self._url)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Take none: they are for the process that owns it."""
        yield
