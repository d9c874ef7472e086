"""A receiver of webhooks that keeps them as they came, for a client to validate."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Delivery = tuple[dict[str, str], str]


@dataclass
class Hook:
    """What came, in the order it came."""

    url: str
    deliveries: "asyncio.Queue[Delivery]" = field(default_factory=asyncio.Queue)

    async def take(self, request: Request) -> Response:
        """Keep one."""
        self.deliveries.put_nowait((dict(request.headers), (await request.body()).decode()))
        return Response(status_code=204)

    async def one(self) -> Delivery:
        """The next: its headers and its body."""
        async with asyncio.timeout(30):
            return await self.deliveries.get()


@asynccontextmanager
async def hook() -> AsyncGenerator[Hook, None]:
    """A receiver that listens."""
    listener = socket.create_server(("127.0.0.1", 0))
    one = Hook(f"http://127.0.0.1:{listener.getsockname()[1]}/hook")
    app = Starlette(routes=[Route("/hook", one.take, methods=["POST"])])
    options = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(options)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield one
    finally:
        server.should_exit = True
        await task
        listener.close()
