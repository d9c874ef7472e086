"""Web servers for these tests: one that says exactly the bytes it is told to, one that serves a store's links."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from mutoscope.core.clock import Clock
from mutoscope.core.errors import MutoscopeError
from mutoscope.storage.base import ObjectStore
from mutoscope.storage.links import LinkSigner, serving_headers


@dataclass
class Request:
    target: str
    headers: dict[str, str]


@dataclass
class Site:
    """A running server: its address and what it was asked."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"


Answer = Callable[[Request], AsyncIterator[bytes]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncGenerator[Site]:
    """Answer every request with the raw bytes that ``answer`` yields, then close the connection."""
    site = Site()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            request = Request(lines[0].split(" ")[1], headers)
            site.requests.append(request)
            async for piece in answer(request):
                writer.write(piece)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()


def response(body: bytes = b"", *, status: int = 200, headers: dict[str, str] | None = None) -> bytes:
    """A whole HTTP response."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def serving_links(
    store: Callable[[], ObjectStore], signer: Callable[[], LinkSigner], clock: Clock
) -> AsyncGenerator[Site]:
    """What the service's own ``/files`` route does, in its smallest form."""

    async def answer(request: Request) -> AsyncIterator[bytes]:
        parts = urlsplit(request.target)
        key = parts.path.removeprefix("/files/")
        try:
            media_type = signer().verify(key, dict(parse_qsl(parts.query)), clock.now())
            body = b"".join([chunk async for chunk in store().read(key)])
        except MutoscopeError as refused:
            yield response(refused.code.encode(), status=refused.status)
            return
        yield response(body, headers=serving_headers(media_type))

    async with serving(answer) as site:
        yield site
