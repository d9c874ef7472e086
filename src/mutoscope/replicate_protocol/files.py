"""Uploaded files as they travel."""

from pydantic import Field

from mutoscope.replicate_protocol.wire import Instant, Links, Object, Page, Wire

MAX_UPLOAD_BYTES = 100 * 10**6
"""The largest upload that Replicate takes."""
MAX_DATA_URL_BYTES = 256 * 10**3
"""The largest file that should be sent as a data URL; above it, upload the file and send its URL."""


class File(Wire):
    """One uploaded file; ``urls["get"]`` is what inputs name. ``name`` and ``etag`` are not in the document."""

    id: str
    name: str | None = None
    content_type: str
    size: int
    etag: str | None = None
    checksums: Object = Field(default_factory=dict)
    metadata: Object = Field(default_factory=dict)
    created_at: Instant
    expires_at: Instant | None = None
    urls: Links = Field(default_factory=dict)


class FilePage(Page[File]):
    """One page of ``GET /v1/files``."""
