"""The schemas of models, looked for in memory, then in our table, and only then at the provider.

So accepting a generation asks nobody. An old one is used while a newer is fetched behind it, and for as long as the
provider cannot be reached.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from mutoscope.catalog.refusals import Refusals
from mutoscope.catalog.schema_source import FRESH, Loaded, SchemaSource, loaded_from
from mutoscope.core.clock import Clock
from mutoscope.core.errors import MutoscopeError
from mutoscope.replicate_protocol.references import ModelReference

RETRY = timedelta(minutes=1)
# How long a caller waits to be told that a model has changed.
RENEW_WAIT_S = 2.0
# With a default price any model of the provider may be asked for.
MAX_LOADED = 1000

Count = Callable[[], None]
_log = logging.getLogger(__name__)


class Schemas:
    """Keeps them.

    Args:
        source: Where they come from.
        clock: The time.
        most: How many stay in memory: those used last.
    """

    def __init__(self, source: SchemaSource, clock: Clock, *, most: int = MAX_LOADED) -> None:
        self._source, self._clock, self._most = source, clock, most
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._refusals = Refusals()
        self._firsts: dict[str, asyncio.Task[Loaded]] = {}
        self._refreshes: dict[str, asyncio.Task[None]] = {}

    async def load(self, reference: ModelReference, *, count: Count | None = None) -> Loaded:
        """The schema of a model. ``count`` is called before the provider is asked because nobody has it.

        Raises:
            MutoscopeError: It was never read before: whatever ``count`` says, or the provider does or did a moment ago.
        """
        key = str(reference)
        if loaded := self._loaded.get(key):
            self._loaded.move_to_end(key)
        else:
            self._refusals.say_again(key, self._clock.now())
            # Others may wait for it too, so it goes on when one of them goes away.
            loaded = await asyncio.shield(self._first_for_all(reference, count))
        if loaded.look_again_at is not None and loaded.look_again_at <= self._clock.now():
            loaded.look_again_at = self._clock.now() + RETRY
            self._refresh_behind(reference, FRESH)
        return loaded

    async def renew(self, reference: ModelReference) -> bool:
        """Ask whether the model has changed, before an input is refused that it may take by now.

        At most once in ``RETRY``; what cannot be asked leaves the schema as it is. Returns whether it is a newer one.
        """
        before = self._loaded.get(str(reference))
        if before is None or before.look_again_at is None:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(RENEW_WAIT_S):
                await self._newest(reference)
        return self._loaded.get(str(reference)) is not before

    async def aclose(self) -> None:
        """End what is being read."""
        left: list[asyncio.Task[Any]] = [*self._firsts.values(), *self._refreshes.values()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _remember(self, key: str, loaded: Loaded) -> None:
        self._loaded[key] = loaded
        if len(self._loaded) > self._most:
            self._loaded.popitem(last=False)

    def _first_for_all(self, reference: ModelReference, count: Count | None) -> "asyncio.Task[Loaded]":
        key = str(reference)
        if key not in self._firsts:
            task = asyncio.create_task(self._first(reference, count), name=f"read the schema of {key}")
            self._firsts[key] = task
            task.add_done_callback(lambda ended: self._first_ended(key, ended))
        return self._firsts[key]

    def _first_ended(self, key: str, task: "asyncio.Task[Loaded]") -> None:
        del self._firsts[key]
        if not task.cancelled():
            task.exception()  # nobody may be left who waits for it

    async def _first(self, reference: ModelReference, count: Count | None) -> Loaded:
        if reference.model is None:
            # Replicate tells nothing of a version without its owner and name; the provider itself checks the input.
            found = loaded_from(reference, {}, self._clock.now())
        else:
            found = await self._source.kept(reference) or await self._told(reference, count)
        self._remember(str(reference), found)
        return found

    async def _told(self, reference: ModelReference, count: Count | None) -> Loaded:
        if count:
            count()
        try:
            return await self._source.fetched(reference)
        except MutoscopeError as error:
            self._refusals.keep(str(reference), error, self._clock.now())
            raise

    async def _newest(self, reference: ModelReference) -> None:
        # What is being looked for may be only good enough to go on with, an older row of the table: so look again.
        while running := self._refreshes.get(str(reference)):
            await asyncio.wait({running})
        newest = self._loaded.get(str(reference))
        if newest is not None and self._clock.now() - newest.asked_at >= RETRY:
            await asyncio.wait({self._refresh_behind(reference, RETRY)})

    def _refresh_behind(self, reference: ModelReference, life: timedelta) -> "asyncio.Task[None]":
        key = str(reference)
        if key not in self._refreshes:
            task = asyncio.create_task(self._refresh(reference, life), name=f"refresh the schema of {key}")
            self._refreshes[key] = task
            task.add_done_callback(lambda _: self._refreshes.pop(key))
        return self._refreshes[key]

    async def _refresh(self, reference: ModelReference, life: timedelta) -> None:
        try:
            self._remember(str(reference), await self._kept_for(reference, life) or await self._asked(reference))
        except MutoscopeError as error:
            _log.warning("a model's schema could not be refreshed; the old one stays", extra={"why": error.detail})

    async def _kept_for(self, reference: ModelReference, life: timedelta) -> Loaded | None:
        """What another process was told meanwhile, if that is not too long ago."""
        kept = await self._source.kept(reference)
        return kept if kept and self._clock.now() - kept.asked_at < life else None

    async def _asked(self, reference: ModelReference) -> Loaded:
        if old := self._loaded.get(str(reference)):
            old.asked_at = self._clock.now()  # also when there is no answer
        return await self._source.fetched(reference)
