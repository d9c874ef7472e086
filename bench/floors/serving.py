"""Serves a floor as the real service is served: uvicorn, its own event loop, one process, a free port."""

import asyncio
from typing import Any

import uvicorn

from bench.processes import announce
from mutoscope.api.serving import listen, url_of


class _Server(uvicorn.Server):
    url = ""

    async def startup(self, sockets: Any = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        announce({"url": self.url})


def serve(build: Any) -> None:
    """Serve the ASGI application that ``build``, a coroutine function, makes of the URL it is reached at."""
    loops = uvicorn.Config("", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(_serve(build))


async def _serve(build: Any) -> None:
    listener = listen("127.0.0.1", 0)
    url = url_of(listener)
    app = await build(url)
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
    server.url = url
    await server.serve(sockets=[listener])
