"""A receiver of webhooks that keeps them as they came, for a client to validate."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.servers.http import serving

Delivery = tuple[dict[str, str], str]


@dataclass
class Hook:
    """What came, in the order it came."""

    url: str = ""
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
    one = Hook()
    async with serving(Starlette(routes=[Route("/hook", one.take, methods=["POST"])])) as url:
        one.url = f"{url}/hook"
        yield one
