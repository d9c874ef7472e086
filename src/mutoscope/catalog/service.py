"""The catalog: the models of the settings, their schemas from the provider, and what a run of them costs.

A schema is looked for in memory, then in our table, and only then at the provider; so accepting a generation asks
nobody. An old one is used while a newer is fetched behind it, and for as long as the provider cannot be reached.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from mutoscope.catalog import pricing
from mutoscope.catalog.entries import CatalogEntry, Entries, Kind
from mutoscope.catalog.models import ModelSchema
from mutoscope.catalog.pricing import Quote
from mutoscope.catalog.schema import InputSchema
from mutoscope.core.clock import Clock
from mutoscope.core.errors import MutoscopeError
from mutoscope.core.model_settings import ModelSettings, ModelTerms
from mutoscope.db import Database
from mutoscope.db.base import table
from mutoscope.db.upsert import upsert
from mutoscope.replicate_protocol.references import ModelReference
from mutoscope.replicate_protocol.schemas import for_trainings

FRESH = timedelta(hours=1)
RETRY = timedelta(minutes=1)

FetchSchema = Callable[[str], Awaitable[dict[str, Any]]]
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Loaded:
    """A schema in memory. ``look_again_at`` is when a newer one is asked for; ``None`` is never."""

    document: dict[str, Any]
    compiled: InputSchema
    look_again_at: datetime | None
    _training: "_Loaded | None" = None

    def for_trainings(self) -> "_Loaded":
        """The same for trainings; made when it is asked for first."""
        if self._training is None:
            document = for_trainings(self.document)
            self._training = _Loaded(document, InputSchema(document), self.look_again_at)
        return self._training


class Catalog:
    """What can be run and what it costs.

    Args:
        database: Where schemas are kept.
        clock: The time.
        models: The settings of the models, by alias.
        fetch_schema: Asks the provider for the ``openapi_schema`` of a reference.
        provider: The provider's name in our table.
        default: The terms of models without settings; ``None``: they cannot be run.

    Raises:
        ConfigurationError: A model's reference cannot be read; names the alias.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        models: Mapping[str, ModelSettings],
        fetch_schema: FetchSchema,
        provider: str = "replicate",
        default: ModelTerms | None = None,
    ) -> None:
        self._database, self._clock, self._fetch, self._provider = database, clock, fetch_schema, provider
        self._entries = Entries(models, default)
        self._loaded: dict[str, _Loaded] = {}
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._refreshes: dict[str, asyncio.Task[None]] = {}

    def entries(self) -> Sequence[CatalogEntry]:
        """All models, in the order of the settings."""
        return self._entries.all()

    def get(self, alias: str) -> CatalogEntry:
        """The model of this alias.

        Raises:
            NotFound: There is none; names the aliases that look like it.
        """
        return self._entries.get(alias)

    def resolve(self, reference: ModelReference, kind: Kind = "prediction") -> CatalogEntry:
        """What runs or trains the model that Replicate calls ``reference``.

        Raises:
            NotPriced: It has no entry of this kind, and no default price; says how to price it.
        """
        return self._entries.resolve(reference, kind)

    def listed(self, reference: ModelReference) -> CatalogEntry | None:
        """The entry of the settings that Replicate calls ``reference``, if there is one."""
        return self._entries.listed(reference)

    async def schema(self, alias: str) -> dict[str, Any]:
        """The provider's ``openapi_schema`` of a model.

        Raises:
            NotFound: There is no such model.
            MutoscopeError: Whatever the provider said, when it was never read before.
        """
        return (await self._load(alias)).document

    async def validate(self, alias: str, input: Mapping[str, Any]) -> None:  # noqa: A002 - Replicate's word
        """Check an input before anything is charged.

        Raises:
            InvalidInput: With everything that is wrong with it.
            NotFound: There is no such model.
            MutoscopeError: The schema could not be read.
        """
        (await self._load(alias)).compiled.check(input)

    async def quote(self, alias: str, input: Mapping[str, Any]) -> Quote:  # noqa: A002 - Replicate's word
        """What a run of this input costs at most.

        Raises:
            InvalidRequest: The input asks for more outputs than are allowed.
            NotFound: There is no such model.
            MutoscopeError: The schema could not be read.
        """
        loaded = await self._load(alias)
        priced = pricing.quote(self.get(alias).settings, input, loaded.compiled.json_schema)
        # What a model that gives only text says is text, also where it looks like a link to a file.
        return replace(priced, terms=priced.terms | {"gives_files": loaded.compiled.gives_files})

    async def aclose(self) -> None:
        """End what is being fetched in the background."""
        for task in list(self._refreshes.values()):
            task.cancel()
        await asyncio.gather(*self._refreshes.values(), return_exceptions=True)

    async def _load(self, alias: str) -> _Loaded:
        entry = self.get(alias)
        loaded = await self._load_reference(entry.reference)
        return loaded.for_trainings() if entry.settings.kind == "training" else loaded

    async def _load_reference(self, reference: ModelReference) -> _Loaded:
        key = str(reference)
        if key not in self._loaded:
            async with self._loading[key]:
                if key not in self._loaded:
                    self._loaded[key] = await self._first(reference)
        loaded = self._loaded[key]
        if loaded.look_again_at is not None and loaded.look_again_at <= self._clock.now():
            loaded.look_again_at = self._clock.now() + RETRY
            self._refresh_behind(reference)
        return loaded

    async def _first(self, reference: ModelReference) -> _Loaded:
        if reference.model is None:
            # Replicate tells nothing of a version without its owner and name; the provider itself checks the input.
            return _loaded(reference, {}, self._clock.now())
        return await self._kept(reference) or await self._fetched(reference)

    async def _kept(self, reference: ModelReference) -> _Loaded | None:
        async with self._database.read() as session:
            row = await session.get(ModelSchema, (self._provider, str(reference)))
        return None if row is None else _loaded(reference, row.openapi_schema, row.fetched_at)

    async def _fetched(self, reference: ModelReference) -> _Loaded:
        document, now = await self._fetch(str(reference)), self._clock.now()
        loaded = _loaded(reference, document, now)
        schemas = table(ModelSchema)
        async with self._database.write() as session:
            row = upsert(session, schemas).values(
                provider=self._provider, reference=str(reference), openapi_schema=document, fetched_at=now
            )
            newer = {"openapi_schema": row.excluded.openapi_schema, "fetched_at": row.excluded.fetched_at}
            key = [schemas.c.provider, schemas.c.reference]
            await session.execute(row.on_conflict_do_update(index_elements=key, set_=newer))
        return loaded

    def _refresh_behind(self, reference: ModelReference) -> None:
        key = str(reference)
        if key not in self._refreshes:
            task = asyncio.create_task(self._refresh(reference), name=f"refresh the schema of {key}")
            self._refreshes[key] = task
            task.add_done_callback(lambda _: self._refreshes.pop(key))

    async def _refresh(self, reference: ModelReference) -> None:
        try:
            kept = await self._kept(reference)
            now = self._clock.now()
            # Another process may have asked meanwhile.
            is_fresh = kept is not None and kept.look_again_at is not None and kept.look_again_at > now
            self._loaded[str(reference)] = kept if kept and is_fresh else await self._fetched(reference)
        except MutoscopeError as error:
            _log.warning("a model's schema could not be refreshed; the old one stays", extra={"why": error.detail})


def _loaded(reference: ModelReference, document: dict[str, Any], fetched_at: datetime) -> _Loaded:
    # What a version takes never changes.
    look_again_at = None if reference.kind == "version" else fetched_at + FRESH
    return _Loaded(document, InputSchema(document), look_again_at)
