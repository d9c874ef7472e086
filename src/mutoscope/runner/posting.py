"""Posts small bodies over HTTP/1.1 with kept connections.

By hand because webhooks are most of a busy runner's work: a general client costs five times as much for each of them.
It follows no redirect, knows no proxy, and reads of an answer only what it must (RFC 9112).
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

_MAX_ANSWER_BYTES = 65536
_MAX_IDLE = 32

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Server = tuple[str, str, int]


class PostFailed(Exception):
    """No answer came, or none that is HTTP."""


def server_of(url: str) -> Server:
    """Scheme, host and port of a URL that can be posted to. Raises ``PostFailed`` for any other text."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise PostFailed("not a URL") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PostFailed("not an http or https URL")
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise PostFailed("the URL holds characters that do not belong there")
    return parts.scheme, parts.hostname, port


class Poster:
    """Keeps connections per server. ``timeout_s`` is for one post from the first byte to the answer."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._idle: dict[Server, list[Stream]] = {}

    async def aclose(self) -> None:
        """Close what is kept."""
        for streams in self._idle.values():
            for _, writer in streams:
                writer.close()
        self._idle.clear()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer. Raises ``PostFailed``."""
        server, parts = server_of(url), urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = parts.netloc.rpartition("@")[2]
        fields = {"host": host, **headers, "content-length": str(len(body))}
        head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(server, head.encode() + body)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise PostFailed(f"{type(error).__name__}: {error}") from error

    async def _exchange(self, server: Server, message: bytes) -> int:
        idle = self._idle.setdefault(server, [])
        while idle:
            stream = idle.pop()
            if stream[0].at_eof() or stream[1].is_closing():
                stream[1].close()
                continue
            with contextlib.suppress(OSError, EOFError):  # closed by the server in this moment: take a new one
                return await self._on(stream, server, message)
            break
        scheme, host, port = server
        secure = ssl.create_default_context() if scheme == "https" else None
        return await self._on(await asyncio.open_connection(host, port, ssl=secure), server, message)

    async def _on(self, stream: Stream, server: Server, message: bytes) -> int:
        reader, writer = stream
        keep = False
        try:
            writer.write(message)
            await writer.drain()
            status, keep = await _answer(reader)
        finally:
            if keep and len(self._idle[server]) < _MAX_IDLE:
                self._idle[server].append(stream)
            else:
                writer.close()
        return status


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """The status, and whether the connection can be used again. Raises ``ValueError`` if it is not HTTP."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    version, _, rest = head[0].partition(" ")
    status = int(rest[:3])
    if not version.startswith("HTTP/1.") or not 200 <= status <= 599:
        raise ValueError(f"the answer begins with {head[0][:40]!r}")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    length = 0 if status == 204 else int(fields.get("content-length", -1))
    if version != "HTTP/1.1" or fields.get("connection", "").lower() == "close" or not 0 <= length <= _MAX_ANSWER_BYTES:
        return status, False
    await reader.readexactly(length)
    return status, True
