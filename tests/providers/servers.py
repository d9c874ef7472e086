"""A real HTTP server that answers as it is told, byte for byte, or does not answer at all."""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def answer(status: int, body: Any = b"", **headers: str) -> bytes:
    """A whole HTTP answer; ``body`` is bytes, or is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}", "Connection: close"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


@dataclass
class ScriptedServer:
    """Answers the next requests from ``script``; when that is used up, with the last of it again.

    ``drop`` closes the connection after the request was read; ``silence`` keeps it open and never answers.
    """

    url: str = ""
    script: deque[bytes | Literal["drop", "silence"]] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)

    def will(self, *turns: bytes | Literal["drop", "silence"]) -> None:
        self.script = deque(turns)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await _read(reader))
            turn = self.script.popleft() if len(self.script) > 1 else self.script[0]
            if turn == "silence":
                await reader.read()  # until the client gives up
            elif isinstance(turn, bytes):
                writer.write(turn)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    method, path, _ = first.split(" ")
    return Asked(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))


@asynccontextmanager
async def scripted_server(tls: ssl.SSLContext | None = None) -> AsyncGenerator[ScriptedServer]:
    one = ScriptedServer()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=tls)
    scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
    one.url = f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield one
