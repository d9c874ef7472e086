"""Reads Replicate's public pages on behalf of people who have no token there: bounded, and kept for a short while.

Nothing of the caller goes to Replicate but the path and the query, and nothing of our token comes back.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from mutoscope.core.clock import Clock
from mutoscope.providers.base import ProviderDown, ProviderError, Throttled
from mutoscope.providers.tokens import Tokens

KEEP_FOR = timedelta(seconds=60)
MAX_PAGE_BYTES = 8 * 1024 * 1024
MAX_KEPT_BYTES = 64 * 1024 * 1024
TIMEOUT = httpx.Timeout(connect=5, read=15, write=15, pool=5)
_CALLERS_FAULT = frozenset({400, 404, 422})


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its status, its media type, and its body as it came."""

    status: int
    media_type: str
    body: bytes


class ProviderPages:
    """Asks, or answers from what was asked a moment ago.

    Args:
        base_url: ``https://api.replicate.com``, or a local runner's address.
        tokens: The API tokens; sent to ``base_url`` only.
        clock: For how long an answer is kept.
    """

    def __init__(self, base_url: str, tokens: Tokens, clock: Clock) -> None:
        self._clock = clock
        self._tokens = tokens
        self._http = httpx.AsyncClient(
            base_url=f"{base_url.rstrip('/')}/v1/",
            headers={"User-Agent": "mutoscope"},
            timeout=TIMEOUT,
            trust_env=False,
        )
        self._kept: OrderedDict[tuple[str, ...], tuple[datetime, Page]] = OrderedDict()
        self._kept_bytes = 0

    @property
    def base_url(self) -> str:
        """How links in pages begin that lead to another page."""
        return str(self._http.base_url)

    async def read(self, path: str, query: Mapping[str, str], *, search: str | None = None) -> Page:
        """The page at ``path``; with ``search`` by the method QUERY, which has the words as its body.

        Raises:
            ProviderDown: Replicate did not answer, or not with anything of use.
            ProviderError: It refused for a reason that is none of the caller's.
            Throttled: Replicate asks us to come back later.
        """
        key = (path, search or "", *(f"{name}={value}" for name, value in sorted(query.items())))
        now = self._clock.now()
        if (kept := self._kept.get(key)) and now - kept[0] < KEEP_FOR:
            return kept[1]
        page = await self._ask(path, query, search)
        self._keep(key, now, page)
        return page

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def _ask(self, path: str, query: Mapping[str, str], search: str | None) -> Page:
        method, more = ("GET", {}) if search is None else ("QUERY", {"Content-Type": "text/plain"})
        more["Authorization"] = f"Bearer {self._tokens.current()}"
        request = self._http.build_request(
            method, path, params=query, headers=more, content=search.encode() if search is not None else None
        )
        try:
            answer = await self._http.send(request, stream=True)
            try:
                body = await _bounded(answer)
            finally:
                await answer.aclose()
        except httpx.HTTPError as error:
            raise ProviderDown(f"Replicate did not answer {method} {path}: {type(error).__name__} {error}") from error
        if answer.status_code == 429:
            said = answer.headers.get("retry-after", "")
            raise Throttled("Replicate throttles this service.", retry_after_s=float(said) if said.isdecimal() else 5.0)
        if answer.status_code >= 500 or answer.is_redirect:
            raise ProviderDown(f"Replicate answered {method} {path} with {answer.status_code}")
        if answer.status_code >= 400 and answer.status_code not in _CALLERS_FAULT:
            raise ProviderError(f"Replicate does not let this service read {path} ({answer.status_code}).")
        media_type = answer.headers.get("content-type", "application/json").partition(";")[0].strip()
        return Page(answer.status_code, media_type, body)

    def _keep(self, key: tuple[str, ...], now: datetime, page: Page) -> None:
        if old := self._kept.pop(key, None):
            self._kept_bytes -= len(old[1].body)
        self._kept[key] = (now, page)
        self._kept_bytes += len(page.body)
        while self._kept_bytes > MAX_KEPT_BYTES or len(self._kept) > 1000:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._kept_bytes -= len(oldest.body)


async def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MAX_PAGE_BYTES:
            raise ProviderDown(f"Replicate's answer has more than {MAX_PAGE_BYTES} bytes.")
    return bytes(body)
