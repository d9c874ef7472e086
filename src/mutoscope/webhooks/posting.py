"""Sends one message over HTTP: to an address that was checked, within a time, following nobody anywhere."""

import asyncio
import socket
from collections.abc import Iterable, Mapping
from typing import Any, cast

import httpcore

from mutoscope.core.errors import InvalidRequest
from mutoscope.webhooks.addresses import checked_url, is_public

MAX_CONNECTIONS = 100
MAX_ANSWER_BYTES = 64 * 1024
KEEP_S = 30.0


class PostFailed(Exception):
    """No answer came; trying again may help."""


class PostRefused(Exception):
    """The URL may not be called; trying again is no use."""


class Poster:
    """Posts, and says which status came back.

    Args:
        timeout_s: For one post, from the look-up of the name to the end of the answer.
        public_only: Whether only https and addresses of the public internet may be called.
    """

    def __init__(self, *, timeout_s: float, public_only: bool) -> None:
        self._timeout_s = timeout_s
        self._public_only = public_only
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=MAX_CONNECTIONS,
            keepalive_expiry=KEEP_S,
            network_backend=CheckedNetwork(public_only=public_only),
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer, whatever it is.

        Raises:
            PostRefused: The URL, or every address it has, is not one that may be called.
            PostFailed: No answer came in time, or none that is HTTP.
        """
        try:
            parsed = checked_url(url, public_only=self._public_only)
        except InvalidRequest as wrong:
            raise PostRefused(wrong.detail) from wrong
        target = httpcore.URL(scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path)
        fields = {"Host": parsed.netloc.decode("ascii"), **headers, "Content-Length": str(len(body))}
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(target, fields, body)
        except TimeoutError as late:
            raise PostFailed(f"no answer within {self._timeout_s:g} s") from late
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as broken:
            raise PostFailed(f"{type(broken).__name__}: {broken}") from broken

    async def aclose(self) -> None:
        """Close connections."""
        await self._pool.aclose()

    async def _exchange(self, target: httpcore.URL, headers: Mapping[str, str], body: bytes) -> int:
        async with self._pool.stream("POST", target, headers=list(headers.items()), content=body) as answer:
            read = 0
            # A short answer is read to its end, so that the connection can be used again; a long one is cut off.
            async for chunk in answer.aiter_stream():
                read += len(chunk)
                if read > MAX_ANSWER_BYTES:
                    break
            return answer.status


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the very addresses that were looked at."""

    def __init__(self, *, public_only: bool) -> None:
        self._public_only = public_only
        # httpcore hides its type behind a check whether anyio is installed, which it is.
        self._inner: httpcore.AsyncNetworkBackend = cast("Any", httpcore.AnyIOBackend)()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first of the host's addresses that takes one."""
        failure: Exception | None = None
        for address in await self._addresses(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never asked for."""
        raise PostRefused(f"{path} is not on the internet")

    async def sleep(self, seconds: float) -> None:
        """Wait between tries to connect."""
        await self._inner.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as unknown:
            raise httpcore.ConnectError(f"{host} has no address") from unknown
        except UnicodeError as wrong:  # what the codec for names in other scripts says
            raise PostRefused(f"{host} cannot be the name of a host") from wrong
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        # One private address among public ones is no accident; none of them is called then.
        if self._public_only and not all(is_public(one) for one in addresses):
            raise PostRefused(f"{host} has an address that is not on the public internet")
        return addresses
