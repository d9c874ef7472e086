"""A stand-in for api.replicate.com's read-only pages, which says exactly what a test wants; over real HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers.http import serving

TOKEN = "r8_the_operators_own"


@dataclass
class Upstream:
    """``pages``: what is answered, by path below ``/v1/``; everything else is 404. ``known``: the only good token.

    While ``let_go`` is not set, answers wait; ``most`` is how many were waited for at once.
    """

    url: str = ""
    known: str | None = None
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    most: int = 0
    pages: dict[str, Any] = field(default_factory=dict[str, Any])
    asked: list[Request] = field(default_factory=list[Request])

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        await request.body()
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.let_go.wait()
        self.waiting -= 1
        if self.known and request.headers["authorization"] != f"Bearer {self.known}":
            return JSONResponse({"detail": "You did not pass a valid authentication token"}, 401)
        path = request.url.path.removeprefix("/v1/")
        page = self.pages.get(f"{request.method} {path}", self.pages.get(path))
        if page is None:
            return JSONResponse({"detail": "Not found."}, 404)
        return page if isinstance(page, Response) else JSONResponse(page)

    def tokens(self) -> list[str]:
        return [request.headers["authorization"].removeprefix("Bearer ") for request in self.asked]

    def paths(self) -> list[str]:
        return [request.url.path.removeprefix("/v1/") for request in self.asked]


@asynccontextmanager
async def upstream() -> AsyncGenerator[Upstream]:
    one = Upstream()
    one.let_go.set()
    app = Starlette(routes=[Route("/{path:path}", one.answer, methods=["GET", "POST", "QUERY"])])
    async with serving(app) as one.url:
        yield one
