"""Reads Replicate's pages on behalf of people who have no token there: bounded, and kept for a short while.

Nothing of the caller goes to Replicate but the path and the query, and nothing of our token comes back.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from mutoscope.core.clock import Clock
from mutoscope.providers.replicate import Replicate
from mutoscope.replicate_protocol.references import ModelReference

KEEP_FOR = timedelta(seconds=60)
MAX_KEPT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its status, its media type, and its body as it came."""

    status: int
    media_type: str
    body: bytes


class ProviderPages:
    """Asks, or answers from what was asked a moment ago.

    Args:
        accounts: The provider accounts, by name.
        account_for: Which of them to ask about a model or a deployment, and about what belongs to nobody.
        base_url: ``https://api.replicate.com``, or a local runner's address.
        clock: For how long an answer is kept.
    """

    def __init__(
        self,
        accounts: Mapping[str, Replicate],
        account_for: Callable[[ModelReference | None], str],
        base_url: str,
        clock: Clock,
    ) -> None:
        self._accounts, self._account_for, self._clock = accounts, account_for, clock
        self.base_url = f"{base_url.rstrip('/')}/v1/"  # how links in pages begin that lead to another page
        self._kept: OrderedDict[tuple[str, ...], tuple[datetime, Page]] = OrderedDict()
        self._kept_bytes = 0

    async def read(
        self, path: str, query: Mapping[str, str], *, about: ModelReference | None = None, search: str | None = None
    ) -> Page:
        """The page at ``path``, as an account sees it that may run what it is about; ``search`` as in ``Calls.page``.

        Raises:
            ProviderDown: Replicate did not answer, or not with anything of use.
            ProviderError: It refused for a reason that is none of the caller's.
            Throttled: Replicate asks us to come back later.
        """
        account = self._account_for(about)
        key = (account, path, search or "", *(f"{name}={value}" for name, value in sorted(query.items())))
        now = self._clock.now()
        if (kept := self._kept.get(key)) and now - kept[0] < KEEP_FOR:
            return kept[1]
        answer = await self._accounts[account].page(path, query, search)
        media_type = answer.headers.get("content-type", "application/json").partition(";")[0].strip()
        page = Page(answer.status_code, media_type, answer.content)
        self._keep(key, now, page)
        return page

    def _keep(self, key: tuple[str, ...], now: datetime, page: Page) -> None:
        if old := self._kept.pop(key, None):
            self._kept_bytes -= _size(key, old[1])
        self._kept[key] = (now, page)
        self._kept_bytes += _size(key, page)
        while self._kept_bytes > MAX_KEPT_BYTES or len(self._kept) > 1000:
            oldest_key, (_, oldest) = self._kept.popitem(last=False)
            self._kept_bytes -= _size(oldest_key, oldest)


def _size(key: tuple[str, ...], page: Page) -> int:
    return sum(map(len, key)) + len(page.body)
