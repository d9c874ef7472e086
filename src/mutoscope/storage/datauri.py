"""Files that come inside a ``data:`` URI (RFC 2397), decoded in pieces."""

import base64
import binascii
from collections.abc import AsyncGenerator
from urllib.parse import unquote_to_bytes

from mutoscope.storage.sources import SourceRefused

_PIECE_CHARS = 256 * 1024  # a multiple of 4, so that each piece of base64 decodes by itself


async def data_uri_chunks(uri: str, *, max_chars: int) -> AsyncGenerator[bytes]:
    """The bytes of a ``data:`` URI; its media type is ignored, as is everybody's word on what a file is.

    Raises:
        SourceRefused: It is longer than ``max_chars``, or not well formed.
    """
    if len(uri) > max_chars:
        raise SourceRefused(f"The data URI has {len(uri)} characters; the limit is {max_chars}.")
    header, comma, payload = uri.partition(",")
    if not comma or not header.lower().startswith("data:"):
        raise SourceRefused("A data URI needs a comma after its header.")
    if not header.lower().endswith(";base64"):
        yield unquote_to_bytes(payload)
        return
    if "%" in payload:
        payload = unquote_to_bytes(payload).decode("latin-1")
    for start in range(0, len(payload), _PIECE_CHARS):
        try:
            yield base64.b64decode(payload[start : start + _PIECE_CHARS], validate=True)
        except (binascii.Error, ValueError) as wrong:
            raise SourceRefused("The data URI is not valid base64.") from wrong
