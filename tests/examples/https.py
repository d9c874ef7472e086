"""A runner behind https, as Replicate is: the clients make a ``FileOutput`` only of links to https."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.server import build_app
from tests.clients.conftest import Target
from tests.servers.tls import Tls


@asynccontextmanager
async def runner_over_https(state_dir: Path, tls: Tls) -> AsyncGenerator[Target]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://localhost:{listener.getsockname()[1]}"
        app = build_app(RunnerConfig(state_dir=state_dir, token="secret", public_url=url))
        options = uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=1)
        options.ssl_certfile = options.ssl_keyfile = str(tls.server)
        server = uvicorn.Server(options)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield Target(url, "secret", "local")
        finally:
            server.should_exit = True
            await task
