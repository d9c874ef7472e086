"""Collections of models as they travel."""

from typing import ClassVar

from mutoscope.replicate_protocol.models import Model
from mutoscope.replicate_protocol.wire import Wire


class CollectionItem(Wire):
    """A collection as the list of all shows it."""

    name: str
    slug: str
    description: str


class Collection(CollectionItem):
    """A collection as ``GET /v1/collections/{slug}`` shows it."""

    nullable: ClassVar[frozenset[str]] = frozenset({"full_description"})

    full_description: str | None = None
    models: list[Model]
