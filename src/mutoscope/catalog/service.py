"""The catalog: the models of the settings, their schemas from the provider, and what a run of them costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mutoscope.catalog import pricing
from mutoscope.catalog.entries import CatalogEntry, Entries, Kind
from mutoscope.catalog.pricing import Quote
from mutoscope.catalog.schema import InvalidInput
from mutoscope.catalog.schema_source import FetchSchema, Loaded, SchemaSource
from mutoscope.catalog.schemas import Schemas
from mutoscope.core.clock import Clock
from mutoscope.core.model_settings import DefaultModelSettings, ModelSettings
from mutoscope.db import Database
from mutoscope.replicate_protocol.references import ModelReference


@dataclass(frozen=True, slots=True)
class Unlisted:
    """What holds for models without an entry in the settings.

    Attributes:
        terms: Theirs.
        count: Called before the provider is asked for one for the first time, since anybody can invent a name.
            Raises if that is too often.
    """

    terms: DefaultModelSettings
    count: Callable[[], None]


class Catalog:
    """What can be run and what it costs.

    Args:
        database: Where schemas are kept.
        clock: The time.
        models: The settings of the models, by alias.
        fetch_schema: Asks the provider for the ``openapi_schema`` of a reference.
        provider: The provider's name in our table.
        unlisted: What holds for models without settings; ``None``: they cannot be run.

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
        unlisted: Unlisted | None = None,
    ) -> None:
        self._entries = Entries(models, unlisted.terms if unlisted else None)
        self._count_unlisted = unlisted.count if unlisted else None
        self._schemas = Schemas(SchemaSource(database, clock, fetch_schema, provider), clock)

    def entries(self) -> Sequence[CatalogEntry]:
        """All models, in the order of the settings."""
        return self._entries.all()

    def get(self, alias: str) -> CatalogEntry:
        """The model of this alias.

        Raises:
            NotFound: There is none; names the aliases that look like it.
            NotPriced: The default price is not for it.
        """
        return self._entries.get(alias)

    def resolve(self, reference: ModelReference, kind: Kind = "prediction") -> CatalogEntry:
        """What runs or trains the model that Replicate calls ``reference``.

        Raises:
            NotPriced: It has no entry of this kind, and the default price is not for it; says how to price it.
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
        """Check an input before anything is charged. What an old schema refuses, a newer one may take.

        Raises:
            InvalidInput: With everything that is wrong with it.
            NotFound: There is no such model.
            MutoscopeError: The schema could not be read.
        """
        try:
            (await self._load(alias)).compiled.check(input)
        except InvalidInput:
            if not await self._schemas.renew(self.get(alias).reference):
                raise
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
        await self._schemas.aclose()

    async def _load(self, alias: str) -> Loaded:
        entry = self.get(alias)
        loaded = await self._schemas.load(entry.reference, count=self._count_unlisted if entry.ad_hoc else None)
        return loaded.for_trainings() if entry.settings.kind == "training" else loaded
