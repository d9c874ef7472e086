"""Reads Replicate's pages on behalf of people who have no token there: bounded, and kept for a short while.

No account takes it all, and all of them together leave most of what Replicate lets us read, 3,000 calls a minute, to
polling. Nothing of the caller goes to Replicate but the path and the query, and nothing of our token comes back.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from weakref import WeakValueDictionary

from mutoscope.core.clock import Clock
from mutoscope.providers.base import Rate, Throttled
from mutoscope.providers.budget import Budget, Budgets, take
from mutoscope.providers.kept_pages import KeptPages, Key, Page
from mutoscope.providers.replicate import Replicate
from mutoscope.replicate_protocol.references import ModelReference

KEEP_FOR = timedelta(seconds=60)
KEEP_OFFERED_FOR = timedelta(minutes=10)
RATE = Rate(per_minute=300, burst=60)
RATE_EACH = Rate(per_minute=60, burst=30)
AT_ONCE = 4
AT_ONCE_EACH = 2
PLACE_WAIT_S = 5.0


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
        self._kept = KeptPages()
        self._asking: dict[Key, asyncio.Task[Page]] = {}
        self._budget, self._budgets = Budget(RATE), Budgets(RATE_EACH)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._places_each: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def read(
        self,
        path: str,
        query: Mapping[str, str],
        *,
        asker: str,
        about: ModelReference | None = None,
        search: str | None = None,
    ) -> Page:
        """The page at ``path``, as an account sees it that may run what it is about.

        Args:
            path: Below ``/v1/``.
            query: Of the page.
            asker: Whom the call counts for, if there must be one.
            about: What the page is about, if that is somebody's.
            search: As in ``Calls.page``.

        Raises:
            ProviderDown: Replicate did not answer, or not with anything of use.
            ProviderError: It refused for a reason that is none of the caller's.
            Throttled: Replicate asks us to come back later; or we do, because we are asked for too many pages.
        """
        account = self._account_for(about)
        key = (account, path, search or "", *(f"{name}={value}" for name, value in sorted(query.items())))
        if kept := self._kept.get(key, self._clock.now() - KEEP_FOR):
            return kept
        return await self._ask_once(key, query, asker, self._budgets.of(asker))

    async def offered(self, references: Iterable[ModelReference], *, asker: str) -> list[Page]:
        """The pages of what the operator offers, each kept for a while, so that a list of any length gets read.

        How many there are is not the asker's doing: all together count for him as one call, if any must be read.

        Raises:
            ProviderDown, ProviderError, Throttled: As ``read``. What was read until then stays.
        """
        pages: list[Page] = []
        own = [self._budgets.of(asker)]
        for one in references:
            key = (self._account_for(one), str(one), "")
            page = self._kept.get(key, self._clock.now() - KEEP_OFFERED_FOR)
            if page is None:
                page = await self._ask_once(key, {}, asker, *own)
                own = []
            pages.append(page)
        return pages

    async def aclose(self) -> None:
        """End what is being read."""
        for asking in (left := list(self._asking.values())):
            asking.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _ask_once(self, key: Key, query: Mapping[str, str], asker: str, *own: Budget) -> Page:
        if key not in self._asking:
            take(self._clock.now(), self._budget, *own)
            ask = asyncio.create_task(self._ask(key, query, asker), name=f"read {key[1]}")
            self._asking[key] = ask
            ask.add_done_callback(lambda ended: self._ended(key, ended))
        # Others may wait for it too, so it goes on when one of them goes away.
        return await asyncio.shield(self._asking[key])

    async def _ask(self, key: Key, query: Mapping[str, str], asker: str) -> Page:
        account, path, search, *_ = key
        async with self._place(asker):
            answer = await self._accounts[account].page(path, query, search or None)
        media_type = answer.headers.get("content-type", "application/json").partition(";")[0].strip()
        page = Page(answer.status_code, media_type, answer.content)
        self._kept.keep(key, self._clock.now(), page)
        return page

    @asynccontextmanager
    async def _place(self, asker: str) -> AsyncGenerator[None]:
        # Slow pages of one asker leave places to the others, and those that wait for his own stand in nobody's way.
        own = self._places_each.setdefault(asker, asyncio.Semaphore(AT_ONCE_EACH))
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(PLACE_WAIT_S):
                    await held.enter_async_context(own)
                    await held.enter_async_context(self._places)
            except TimeoutError as late:
                raise Throttled("This service reads too many pages at once.", retry_after_s=1) from late
            yield

    def _ended(self, key: Key, asking: asyncio.Task[Page]) -> None:
        del self._asking[key]
        if not asking.cancelled():
            asking.exception()  # nobody may be left who waits for it
