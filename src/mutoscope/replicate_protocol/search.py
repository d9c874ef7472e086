"""What ``GET /v1/search`` answers."""

from typing import ClassVar

from pydantic import Field

from mutoscope.replicate_protocol.models import Model
from mutoscope.replicate_protocol.wire import Wire

MAX_RESULTS = 50
DEFAULT_RESULTS = 20


class FoundMetadata(Wire):
    """Why a model was found; a higher ``score`` fits better."""

    nullable: ClassVar[frozenset[str]] = frozenset({"generated_description", "score"})

    generated_description: str | None = None
    tags: list[str] = Field(default_factory=list[str])
    score: float | None = None


class FoundModel(Wire):
    """A model that was found."""

    model: Model
    metadata: FoundMetadata


class FoundCollection(Wire):
    """A collection that was found, with the full names of its models."""

    nullable: ClassVar[frozenset[str]] = frozenset({"models"})

    name: str
    slug: str
    description: str
    models: list[str] | None = None


class FoundPage(Wire):
    """A page of the documentation that was found."""

    name: str
    href: str


class SearchResults(Wire):
    """The answer to one search."""

    query: str
    models: list[FoundModel]
    collections: list[FoundCollection]
    pages: list[FoundPage]
