"""Writes ``multipart/form-data`` (RFC 7578) around a file that is streamed, its length known beforehand."""

import re
from collections.abc import AsyncGenerator, Mapping

from mutoscope.core.ids import new_secret
from mutoscope.providers.base import FileToSend

_UNSAFE = re.compile(r'[\x00-\x1f"\\\x7f]')


class FileForm:
    """One form: some small fields, and after them a file in the field ``content``.

    Args:
        fields: Name and text of each.
        file: The file; its chunks are read once.

    Attributes:
        headers: ``Content-Type`` and ``Content-Length`` of the body that ``body`` gives.
    """

    def __init__(self, fields: Mapping[str, str], file: FileToSend) -> None:
        mark = f"mutoscope-{new_secret()}"
        parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{t}\r\n' for n, t in fields.items()]
        name = _UNSAFE.sub("_", file.name)
        parts.append(
            f'--{mark}\r\nContent-Disposition: form-data; name="content"; filename="{name}"\r\n'
            f"Content-Type: {file.media_type}\r\n\r\n"
        )
        self._before, self._chunks, self._after = "".join(parts).encode(), file.chunks, f"\r\n--{mark}--\r\n".encode()
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={mark}",
            "Content-Length": str(len(self._before) + file.size_bytes + len(self._after)),
        }

    async def body(self) -> AsyncGenerator[bytes]:
        """The bytes of the form."""
        yield self._before
        async for chunk in self._chunks:
            yield chunk
        yield self._after
