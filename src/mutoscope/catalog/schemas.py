"""The schemas of models, looked for in memory, then in our table, and only then at the provider.

So accepting a generation asks nobody. An old one is used while a newer is fetched behind it, and for as long as the
provider cannot be reached.
"""

import asyncio
import logging
from collections import OrderedDict
from contextlib import suppress
from datetime import timedelta
from weakref import WeakValueDictionary

from mutoscope.catalog.schema_source import FRESH, FetchSchema, Loaded, SchemaSource, loaded_from
from mutoscope.core.clock import Clock
from mutoscope.core.errors import MutoscopeError
from mutoscope.db import Database
from mutoscope.replicate_protocol.references import ModelReference

RETRY = timedelta(minutes=1)
# How long a caller waits to be told that a model has changed.
RENEW_WAIT_S = 2.0
# With a default price any model of the provider may be asked for.
MAX_LOADED = 1000

_log = logging.getLogger(__name__)


class Schemas:
    """Keeps them.

    Args:
        database: Where they outlive the process.
        clock: The time.
        fetch: Asks the provider for the ``openapi_schema`` of a reference.
        provider: The provider's name in our table.
        most: How many stay in memory: those used last.
    """

    def __init__(
        self, database: Database, clock: Clock, fetch: FetchSchema, provider: str, *, most: int = MAX_LOADED
    ) -> None:
        self._clock, self._most = clock, most
        self._source = SchemaSource(database, clock, fetch, provider)
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._loading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._refreshes: dict[str, asyncio.Task[None]] = {}

    async def load(self, reference: ModelReference) -> Loaded:
        """The schema of a model.

        Raises:
            MutoscopeError: Whatever the provider said, when it was never read before.
        """
        key = str(reference)
        if key not in self._loaded:
            async with self._loading.setdefault(key, asyncio.Lock()):
                if key not in self._loaded:
                    self._remember(key, await self._first(reference))
        loaded = self._loaded[key]
        self._loaded.move_to_end(key)
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
        """End what is being fetched in the background."""
        for task in list(self._refreshes.values()):
            task.cancel()
        await asyncio.gather(*self._refreshes.values(), return_exceptions=True)

    def _remember(self, key: str, loaded: Loaded) -> None:
        self._loaded[key] = loaded
        if len(self._loaded) > self._most:
            self._loaded.popitem(last=False)

    async def _first(self, reference: ModelReference) -> Loaded:
        if reference.model is None:
            # Replicate tells nothing of a version without its owner and name; the provider itself checks the input.
            return loaded_from(reference, {}, self._clock.now())
        return await self._source.kept(reference) or await self._source.fetched(reference)

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
