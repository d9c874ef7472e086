"""Versions of models as they travel."""

from typing import Any, ClassVar

from mutoscope.replicate_protocol.wire import Instant, Wire


class Version(Wire):
    """One version: 64 hexadecimal digits, and what it takes and gives (read it with ``schemas``)."""

    nullable: ClassVar[frozenset[str]] = frozenset({"cog_version", "openapi_schema"})

    id: str
    created_at: Instant
    cog_version: str | None = None
    openapi_schema: dict[str, Any] | None = None
