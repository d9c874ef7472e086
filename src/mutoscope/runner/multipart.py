"""Reads ``multipart/form-data`` (RFC 7578) out of a body that is already on disk, without copying the files in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from mmap import mmap

from mutoscope.core.errors import InvalidRequest

_MAX_PARTS = 20
_MAX_HEADER_BYTES = 8192
_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One field: its name, the file name if it is a file, its media type, and where its bytes are in the body."""

    name: str
    filename: str | None
    media_type: str
    start: int
    end: int


def boundary(content_type: str) -> bytes:
    """The boundary of a body of this type. Raises ``InvalidRequest``."""
    match = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or match is None:
        raise InvalidRequest("Send the file as multipart/form-data, in a field named 'content'.")
    return match[1].encode()


def parts(body: mmap | bytes, mark: bytes) -> Iterator[Part]:
    """The parts of a body. Raises ``InvalidRequest`` if it is not what its type says."""
    delimiter = b"--" + mark
    at = body.find(delimiter)
    for _ in range(_MAX_PARTS):
        if at < 0:
            raise InvalidRequest("The multipart body has no closing boundary.")
        after = at + len(delimiter)
        if body[after : after + 2] == b"--":
            return
        head_end = body.find(b"\r\n\r\n", after, after + _MAX_HEADER_BYTES)
        following = body.find(b"\r\n" + delimiter, max(after, head_end))
        if head_end < 0 or following < 0:
            raise InvalidRequest("The multipart body is cut short.")
        head = body[after + 2 : head_end + 4].decode(errors="replace")  # names come as raw UTF-8, as browsers send them
        headers = HeaderParser().parsestr(head)
        yield _part(headers, min(head_end + 4, following), following)
        at = following + 2
    raise InvalidRequest(f"The multipart body has more than {_MAX_PARTS} parts.")


def _part(headers: "Message[str, str]", start: int, end: int) -> Part:
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise InvalidRequest("A part of the multipart body has no name.")
    media_type = headers.get_content_type() if "content-type" in headers else "application/octet-stream"
    return Part(name, headers.get_filename(), media_type, start, end)
