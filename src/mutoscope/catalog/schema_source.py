"""Where schemas come from: our table, which all processes share, and the provider, whose answers go into it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mutoscope.catalog.models import ModelSchema
from mutoscope.catalog.schema import InputSchema
from mutoscope.core.clock import Clock
from mutoscope.db import Database
from mutoscope.db.base import table
from mutoscope.db.upsert import upsert
from mutoscope.replicate_protocol.references import ModelReference
from mutoscope.replicate_protocol.schemas import for_trainings

FRESH = timedelta(hours=1)

FetchSchema = Callable[[str], Awaitable[dict[str, Any]]]


@dataclass(slots=True)
class Loaded:
    """A schema in memory. ``look_again_at`` is when a newer one is asked for; ``None`` is never."""

    document: dict[str, Any]
    compiled: InputSchema
    look_again_at: datetime | None
    asked_at: datetime
    _training: "Loaded | None" = None

    def for_trainings(self) -> "Loaded":
        """The same for trainings; made when it is asked for first."""
        if self._training is None:
            document = for_trainings(self.document)
            self._training = Loaded(document, InputSchema(document), self.look_again_at, self.asked_at)
        return self._training


def loaded_from(reference: ModelReference, document: dict[str, Any], asked_at: datetime) -> Loaded:
    """The schema of a model as the provider told it. Raises ``Unavailable`` if it is broken."""
    # What a version takes never changes.
    look_again_at = None if reference.kind == "version" else asked_at + FRESH
    return Loaded(document, InputSchema(document), look_again_at, asked_at)


class SchemaSource:
    """Reads the table, and asks the provider.

    Args:
        database: Where schemas outlive the process.
        clock: The time.
        fetch: Asks the provider for the ``openapi_schema`` of a reference.
        provider: The provider's name in our table.
    """

    def __init__(self, database: Database, clock: Clock, fetch: FetchSchema, provider: str) -> None:
        self._database, self._clock, self._fetch, self._provider = database, clock, fetch, provider

    async def kept(self, reference: ModelReference) -> Loaded | None:
        """What any process was told last."""
        async with self._database.read() as session:
            row = await session.get(ModelSchema, (self._provider, str(reference)))
        return None if row is None else loaded_from(reference, row.openapi_schema, row.fetched_at)

    async def fetched(self, reference: ModelReference) -> Loaded:
        """What the provider says now, which is kept. Raises whatever it said instead."""
        document, now = await self._fetch(str(reference)), self._clock.now()
        newest = loaded_from(reference, document, now)
        schemas = table(ModelSchema)
        async with self._database.write() as session:
            row = upsert(session, schemas).values(
                provider=self._provider, reference=str(reference), openapi_schema=document, fetched_at=now
            )
            newer = {"openapi_schema": row.excluded.openapi_schema, "fetched_at": row.excluded.fetched_at}
            key = [schemas.c.provider, schemas.c.reference]
            await session.execute(row.on_conflict_do_update(index_elements=key, set_=newer))
        return newest
