"""Reads ``multipart/form-data`` (RFC 7578) as it comes: the file is passed on in pieces, the few other fields are kept.

The file may come before the fields that describe it, so those are known only when everything has been read.
"""

import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from email.message import Message
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mutoscope.core.errors import InvalidRequest

MAX_FIELD_BYTES = 64 * 1024
MAX_PARTS = 20
MAX_HEADERS = 8
MAX_HEADER_BYTES = 8 * 1024
# A quote that nobody closed goes on to the end.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+\\?"?', re.DOTALL)
_EXTENDED_NAME = re.compile(r";\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^';]*'([!-:<-~]+)", re.IGNORECASE)


class Form:
    """One form that is being read.

    Args:
        content_type: The header, which names the boundary.
        chunks: The body.
        file_field: The name of the field that is the file.

    Attributes:
        fields: The other fields, once ``file`` has ended.
        filename: What the form calls the file, if it does.

    Raises:
        InvalidRequest: The header names no boundary.
    """

    def __init__(self, content_type: str, chunks: AsyncIterator[bytes], file_field: str = "content") -> None:
        media_type, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if media_type != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
            raise InvalidRequest("A multipart/form-data body must name its boundary of 1 to 70 characters.")
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self._chunks, self._file_field = chunks, file_field
        self._pieces: deque[bytes] = deque()
        self._headers: Message[str, str] = Message()
        self._header, self._value, self._field = bytearray(), bytearray(), bytearray()
        self._name, self._parts, self._seen_file, self._ended = "", 0, False, False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": lambda data, start, end: self._add(self._header, data, start, end),
                "on_header_value": lambda data, start, end: self._add(self._value, data, start, end),
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_ends,
                "on_end": self._all_ends,
            },
        )

    async def file(self) -> AsyncGenerator[bytes]:
        """The file in pieces, and then, silently, the rest of the form.

        Raises:
            InvalidRequest: The form is broken, cut short, without the file, or with too much beside it.
        """
        async for chunk in self._chunks:
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise InvalidRequest(f"The multipart body cannot be read: {str(error)[:200]}.") from error
            while self._pieces:
                yield self._pieces.popleft()
        if not self._ended:
            raise InvalidRequest("The multipart body is cut short.")
        if not self._seen_file:
            raise InvalidRequest(f"Send the file in a field named {self._file_field!r}.")

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidRequest(f"The form has more than {MAX_PARTS} fields.")
        self._headers = Message()
        self._field.clear()

    def _add(self, to: bytearray, data: bytes, start: int, end: int) -> None:
        to += data[start:end]
        if len(to) > MAX_HEADER_BYTES:
            raise InvalidRequest("A field of the form has headers that are too long.")

    def _header_ends(self) -> None:
        if len(self._headers) == MAX_HEADERS:
            raise InvalidRequest(f"A field of the form has more than {MAX_HEADERS} headers.")
        name, value = self._header.decode("latin-1"), self._value.decode("latin-1")  # as bytes; UTF-8 is read later
        self._headers[name] = value
        self._header.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        disposition = self._headers.get("content-disposition", "")
        _, options = parse_options_header(disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name != self._file_field:
            return
        if self._seen_file:
            raise InvalidRequest(f"Send one file: the field {self._file_field!r} came twice.")
        self._seen_file = True
        plain = options.get(b"filename", b"").decode("utf-8", "replace")
        self.filename = _extended_name(disposition) or plain or None

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == self._file_field:
            self._pieces.append(data[start:end])
            return
        self._field += data[start:end]
        if len(self._field) > MAX_FIELD_BYTES:
            raise InvalidRequest(f"The field {self._name[:64]!r} has more than {MAX_FIELD_BYTES} bytes.")

    def _part_ends(self) -> None:
        if self._name != self._file_field:
            self.fields[self._name] = self._field.decode("utf-8", "replace")

    def _all_ends(self) -> None:
        self._ended = True


def _extended_name(disposition: str) -> str | None:
    """The name of ``filename*=UTF-8''…`` (RFC 5987). Forms should not have it (RFC 7578, 4.2), but clients send it."""
    found = _EXTENDED_NAME.search(_QUOTED.sub('""', disposition))
    return unquote(found[2], found[1], "replace") if found else None
