"""Brings a provider's file here as a stream: only from hosts that are allowed, with every redirect looked at again."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import httpx

from mutoscope.storage.datauri import data_uri_chunks
from mutoscope.storage.hosts import HostList
from mutoscope.storage.sources import SourceFailed, SourceGone, SourceRefused

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({403, 404, 410})
_PASSING = frozenset({408, 425, 429})
_MAX_REDIRECTS = 3
_OURS = ("authorization", "cookie", "proxy-authorization")
MAX_DATA_URI_CHARS = 64 * 1024 * 1024


class HttpSource:
    """Reads files that a provider names by URL.

    Args:
        client: Makes the requests. Whatever credentials it has are not sent.
        allowed_hosts: See ``HostList``.
        connect_timeout_s: For a connection.
        read_timeout_s: For the answer to begin, and between two pieces of it.
        deadline_s: For the whole file, redirects and the taker's own time included.

    Raises:
        ConfigurationError: An entry of ``allowed_hosts`` is not understood.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        allowed_hosts: Sequence[str],
        *,
        connect_timeout_s: float = 10.0,
        read_timeout_s: float = 30.0,
        deadline_s: float = 900.0,
    ) -> None:
        self._client = client
        self._hosts = HostList(allowed_hosts)
        self._timeout = httpx.Timeout(read_timeout_s, connect=connect_timeout_s)
        self._deadline_s = deadline_s

    async def stream(self, url: str) -> AsyncGenerator[bytes]:
        """The bytes of the file at an ``http(s)`` or ``data:`` URL, in pieces as they come.

        Raises:
            SourceRefused: The URL is not one we fetch, or it answers with what will not change.
            SourceGone: 403, 404 or 410.
            SourceFailed: The transfer failed, was cut short or took too long.
        """
        if url[:5].lower() == "data:":
            async for chunk in data_uri_chunks(url, max_chars=MAX_DATA_URI_CHARS):
                yield chunk
            return
        give_up_at = asyncio.get_running_loop().time() + self._deadline_s
        async with _translated(give_up_at):
            response = await self._follow(self._hosts.check(url))
        try:
            chunks = response.aiter_raw()
            while True:
                # One time limit per step: a limit around a yield would also cut into what the taker does meanwhile.
                async with _translated(give_up_at):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                yield chunk
        finally:
            await response.aclose()

    async def _follow(self, url: httpx.URL) -> httpx.Response:
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._get(url)
            if response.status_code not in _REDIRECTS:
                return await _accepted(response)
            location = response.headers.get("location", "")
            await response.aclose()
            try:
                url = self._hosts.check(url.join(location))
            except httpx.InvalidURL as wrong:
                raise SourceRefused(f"{url.host} redirects to something that is not a URL.") from wrong
        raise SourceRefused(f"{url.host} redirects more than {_MAX_REDIRECTS} times.")

    async def _get(self, url: httpx.URL) -> httpx.Response:
        request = self._client.build_request("GET", url, headers={"Accept-Encoding": "identity"}, timeout=self._timeout)
        for name in _OURS:
            request.headers.pop(name, None)
        return await self._client.send(request, stream=True, auth=None, follow_redirects=False)


async def _accepted(response: httpx.Response) -> httpx.Response:
    """The response, if its body is the file as it is. Else it is closed and the reason raised."""
    status, host = response.status_code, response.url.host
    encoding = response.headers.get("content-encoding", "identity").lower()
    if status == 200 and encoding == "identity":
        return response
    await response.aclose()
    if status == 200:
        raise SourceRefused(f"{host} sends the file in the encoding {encoding}, which we did not ask for.")
    if status in _GONE:
        raise SourceGone(f"{host} answers {status} for the file.")
    if status in _PASSING or status >= 500:
        raise SourceFailed(f"{host} answers {status} for the file.")
    raise SourceRefused(f"{host} answers {status} for the file.")


@asynccontextmanager
async def _translated(give_up_at: float) -> AsyncGenerator[None]:
    """No error of httpx leaves this module, and nothing goes on after ``give_up_at`` (on the loop's clock)."""
    try:
        async with asyncio.timeout_at(give_up_at):
            yield
    except TimeoutError as late:
        raise SourceFailed("The file did not come within its time.") from late
    except httpx.TimeoutException as silent:
        raise SourceFailed(f"The provider fell silent while a file was fetched: {type(silent).__name__}.") from silent
    except httpx.HTTPError as broken:
        raise SourceFailed(f"The transfer of a file broke: {type(broken).__name__}: {broken}"[:300]) from broken
