"""HTTP calls to Replicate: one try each, every way one can end told apart, the token sent to one server only."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from mutoscope.providers.answers import detail, raise_if_throttled, words
from mutoscope.providers.base import AnswerLost, CreateRefused, PredictionMissing, ProviderDown, ProviderError
from mutoscope.providers.tokens import Tokens

TIMEOUT = httpx.Timeout(connect=5, read=30, write=30, pool=10)
# Each call looks at every open connection, so a wide pool is a slow one; Replicate takes 60 calls a second at most.
LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=16)
# Nothing may come for long while a model starts; servers send comments meanwhile.
LONG_TIMEOUT = httpx.Timeout(connect=5, read=60, write=10, pool=10)
LONG_LIMITS = httpx.Limits(max_connections=500, max_keepalive_connections=0)
# A page is read while somebody waits for it, so it has a time and a size of its own.
PAGE_TIMEOUT_S = 20.0
MAX_PAGE_BYTES = 8 * 1024 * 1024
_ASKERS_FAULT = frozenset({400, 404, 422})


class Calls:
    """The calls of one account.

    Args:
        base_url: ``https://api.replicate.com``, or a local runner's address.
        tokens: The account's tokens; sent to ``base_url`` only.
    """

    def __init__(self, base_url: str, tokens: Tokens) -> None:
        self._tokens = tokens
        self._long = httpx.AsyncClient(
            headers={"User-Agent": "mutoscope"},
            timeout=LONG_TIMEOUT,
            limits=LONG_LIMITS,
            trust_env=False,
        )
        self.http = httpx.AsyncClient(
            base_url=f"{base_url.rstrip('/')}/v1/",
            headers={"User-Agent": "mutoscope"},
            timeout=TIMEOUT,
            limits=LIMITS,
            trust_env=False,
        )

    @asynccontextmanager
    async def open_stream(self, url: str, headers: Mapping[str, str]) -> AsyncGenerator[httpx.Response]:
        """A long answer, on a connection that no other call waits for. Elsewhere it is asked for without the token."""
        home = self.is_home(httpx.URL(url))
        sent = {**headers, **(_bearer(self._tokens.current()) if home else {})}
        async with self._long.stream("GET", url, headers=sent) as answer:
            yield answer

    def is_home(self, url: httpx.URL) -> bool:
        """Whether a URL is on the server that the token is for."""
        home = self.http.base_url
        return (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)

    async def create(self, path: str, content: Mapping[str, Any], headers: Mapping[str, str]) -> httpx.Response:
        """A call that makes something. Raises as ``Provider.create``."""
        try:
            answer = await self._authorized(
                lambda token: self.http.post(path, json=content, headers={**headers, **_bearer(token)})
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ProviderDown(f"Replicate cannot be reached: {words(error)}") from error
        except httpx.HTTPError as error:
            raise AnswerLost(f"Replicate did not answer a create: {words(error)}") from error
        if answer.status_code >= 500:
            raise AnswerLost(f"Replicate answered a create with {answer.status_code}: {detail(answer)}")
        raise_if_throttled(answer)
        if not answer.is_success:
            raise CreateRefused(f"Replicate refused ({answer.status_code}): {detail(answer)}")
        return answer

    async def repeatable(self, method: str, path: str, *, params: Mapping[str, str] | None = None) -> httpx.Response:
        """A call that may be repeated without harm. Raises as ``Provider.get``."""
        try:
            answer = await self._authorized(
                lambda token: self.http.request(method, path, params=params, headers=_bearer(token))
            )
        except httpx.HTTPError as error:
            raise ProviderDown(f"Replicate did not answer {method} {path}: {words(error)}") from error
        return _accepted(answer, f"{method} {path}")

    async def page(self, path: str, query: Mapping[str, str], search: str | None) -> httpx.Response:
        """A page for somebody else, whose mistakes it may tell of; with ``search`` by QUERY, the words as its body.

        Raises:
            ProviderDown: No answer, or one that is too long.
            Throttled, ProviderError: As ``Provider.get``, where the one who asks is not to blame.
        """
        method, more = ("GET", {}) if search is None else ("QUERY", {"Content-Type": "text/plain"})

        async def ask(token: str) -> httpx.Response:
            headers, content = {**more, **_bearer(token)}, None if search is None else search.encode()
            async with self.http.stream(method, path, params=query, headers=headers, content=content) as answer:
                return await _bounded(answer)

        try:
            async with asyncio.timeout(PAGE_TIMEOUT_S):
                answer = await self._authorized(ask)
        except (httpx.HTTPError, TimeoutError) as error:
            raise ProviderDown(f"Replicate did not answer {method} {path}: {words(error)}") from error
        return answer if answer.status_code in _ASKERS_FAULT else _accepted(answer, f"{method} {path}")

    async def send(self, path: str, body: AsyncIterator[bytes], headers: Mapping[str, str]) -> httpx.Response:
        """A call whose body is a stream that can be read once. Raises as ``Provider.send_file``."""
        token = self._tokens.current()
        try:
            answer = await self.http.post(path, content=body, headers={**headers, **_bearer(token)})
        except httpx.HTTPError as error:
            raise ProviderDown(f"Replicate did not answer POST {path}: {words(error)}") from error
        if answer.status_code == 401 and self._tokens.instead_of(token):
            raise ProviderDown("Replicate does not know the token; the next try is made with another one")
        if answer.status_code in (400, 404, 413, 415, 422):
            raise CreateRefused(f"Replicate refused a file ({answer.status_code}): {detail(answer)}")
        return _accepted(answer, f"POST {path}")

    async def aclose(self) -> None:
        """Close connections."""
        await self.http.aclose()
        await self._long.aclose()

    async def _authorized(self, ask: Callable[[str], Awaitable[httpx.Response]]) -> httpx.Response:
        """A token that is not known did nothing, so the call is made again with another one, while there is one."""
        token = self._tokens.current()
        while True:
            answer = await ask(token)
            other = self._tokens.instead_of(token) if answer.status_code == 401 else None
            if other is None:
                return answer
            token = other


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _accepted(answer: httpx.Response, what: str) -> httpx.Response:
    raise_if_throttled(answer)
    if answer.status_code == 404:
        raise PredictionMissing(f"Replicate knows no {what.partition(' ')[2]}")
    if answer.status_code >= 500:
        raise ProviderDown(f"Replicate answered {what} with {answer.status_code}")
    if not answer.is_success:
        raise ProviderError(f"Replicate refused {what} ({answer.status_code}): {detail(answer)}")
    return answer


async def _bounded(answer: httpx.Response) -> httpx.Response:
    """The answer, read to its end; without the headers that told how it travelled."""
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MAX_PAGE_BYTES:
            raise ProviderDown(f"Replicate's answer has more than {MAX_PAGE_BYTES} bytes.")
    headers = {name: answer.headers[name] for name in ("content-type", "retry-after") if name in answer.headers}
    return httpx.Response(answer.status_code, headers=headers, content=bytes(body), request=answer.request)
