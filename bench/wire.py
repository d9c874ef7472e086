"""The least HTTP/1.1 that can be spoken: requests as bytes over kept connections, answers with a Content-Length.

A load client must not be what is measured. What this one costs is in the results (``client_cpu_ms_each``).
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

ANSWER_S = 120
MAX_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Connection:
    """One connection to one server on this machine; requests go one after another."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Answer:
        """Send one request and read its answer. Raises ``OSError``, or ``TimeoutError`` after ``ANSWER_S``."""
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await self._open()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
        return Answer(int(head[9:12]), body)

    def close(self) -> None:
        """Let go of it."""
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The kept connection, unless the server has let go of it meanwhile: servers do after some idle seconds."""
        if self._streams is None or self._streams[0].at_eof():
            self.close()
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=MAX_HEAD_BYTES)
        return self._streams


class Connections:
    """Kept connections to one server, the last used first."""

    def __init__(self, port: int, most: int) -> None:
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for _ in range(most):
            self._free.put_nowait(Connection(port))

    async def ask(self, request: bytes) -> Answer:
        """Send one request over a free connection, waiting for one if need be."""
        connection = await self._free.get()
        try:
            return await connection.ask(request)
        except BaseException:
            connection.close()  # its answer may still come: it cannot be used for another
            raise
        finally:
            self._free.put_nowait(connection)


def request(method: str, path: str, body: Any = None, **headers: str) -> bytes:
    """A request's bytes. Underscores in the names of ``headers`` stand for dashes."""
    payload = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if payload:
        lines += ["Content-Type: application/json"]
    if payload or method == "POST":
        lines += [f"Content-Length: {len(payload)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + payload


def _length(head: bytes) -> int:
    low = head.lower()
    at = low.find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    return int(low[at + 17 : low.index(b"\r\n", at + 17)])
