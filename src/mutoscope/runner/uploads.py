"""``POST /v1/files``: keeps what clients upload, so that inputs can name it by URL."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

from mutoscope.core.errors import InvalidRequest, NotFound
from mutoscope.replicate_protocol.wire import PAGE_SIZE, instant, position
from mutoscope.runner.account import OWNER
from mutoscope.runner.files import Files
from mutoscope.runner.records import new_prediction_id
from mutoscope.runner.store import Store

_MAX_FIELD_BYTES = 65536
_MEDIA_TYPE = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")  # what can stand in a header
_ID = re.compile(r"[a-z2-7]{26}(?![^/?])")


class Uploads:
    """Uploaded files: bytes on disk, the rest in the store. ``signing_key`` signs links that need no token."""

    def __init__(self, files: Files, store: Store, retention_s: float, signing_key: str) -> None:
        self._signing_key = signing_key.encode()
        self._files = files
        self._store = store
        self._retention_s = retention_s

    def write(self, fields: Mapping[str, memoryview], filename: str | None, media_type: str) -> dict[str, Any]:
        """Write one uploaded file from the fields of its form, and describe it; slow, so call it in a thread.

        Raises:
            InvalidRequest: There is no ``content``, its type cannot be one, or ``metadata`` is not a JSON object.
        """
        if "content" not in fields:
            raise InvalidRequest("Send the file in a field named 'content'.")
        content, upload_id, now = fields["content"], new_prediction_id(), time.time()
        digest = hashlib.sha256(content).hexdigest()
        known: dict[str, Any] = {
            "id": upload_id,
            "name": _text(fields, "filename") or filename or "file",
            "content_type": _media_type(_text(fields, "type") or media_type),
            "size": len(content),
            "etag": digest[:32],
            "checksums": {"sha256": digest},
            "metadata": _metadata(_text(fields, "metadata")),
            "created_at": instant(datetime.fromtimestamp(now, UTC)),
            "expires_at": instant(datetime.fromtimestamp(now + self._retention_s, UTC)),
        }
        self._files.upload(upload_id).write_bytes(content)
        return known

    def keep(self, known: dict[str, Any]) -> None:
        """Make a written upload visible."""
        expires_at = datetime.fromisoformat(known["expires_at"]).timestamp()
        self._store.put_upload(known["id"], expires_at, json.dumps(known))

    def get(self, upload_id: str) -> dict[str, Any]:
        """What is known of one upload. Raises ``NotFound``."""
        text = self._store.upload(upload_id)
        if text is None:
            raise NotFound("File not found")
        known: dict[str, Any] = json.loads(text)
        return known

    def page(self, cursor: str | None) -> tuple[list[dict[str, Any]], int | None]:
        """The newest uploads first, and where the next page begins. Raises ``InvalidRequest`` for a bad cursor."""
        documents, last = self._store.uploads(position(cursor), PAGE_SIZE)
        return [json.loads(text) for text in documents], last

    def delete(self, upload_id: str) -> None:
        """Delete one upload. Raises ``NotFound``."""
        if not self._store.delete_upload(upload_id):
            raise NotFound("File not found")
        self._files.upload(upload_id).unlink(missing_ok=True)

    def show(self, known: dict[str, Any], base_url: str) -> dict[str, Any]:
        """An upload as clients see it."""
        links = {"get": f"{base_url}/v1/files/{known['id']}", "download": self._download_url(known, base_url)}
        return {**known, "urls": links}

    def open_link(self, url: str, base_url: str) -> str:
        """A link to the bytes of the upload that a URL of an input names, which needs no token. Raises ``NotFound``."""
        return self._download_url(self.get(_named(url, base_url)), base_url)

    def _download_url(self, known: Mapping[str, Any], base_url: str) -> str:
        """It lives as long as the upload."""
        upload_id, expiry = known["id"], int(datetime.fromisoformat(known["expires_at"]).timestamp())
        query = {"owner": OWNER, "expiry": str(expiry), "signature": self._signature(OWNER, upload_id, expiry)}
        return f"{base_url}/v1/files/{upload_id}/download?{urlencode(query)}"

    def check_download(self, upload_id: str, query: Mapping[str, str]) -> None:
        """Raises ``NotFound`` if a link was not made by ``open_link`` or ``show``, or not for now."""
        expiry = query.get("expiry", "")
        good = expiry.isascii() and expiry.isdigit() and len(expiry) < 12 and int(expiry) >= time.time()
        signature = self._signature(query.get("owner", ""), upload_id, int(expiry)) if good else ""
        if not signature or not hmac.compare_digest(signature.encode(), query.get("signature", "").encode()):
            raise NotFound("File not found")

    def _signature(self, owner: str, upload_id: str, expiry: int) -> str:
        text = f"{owner} {upload_id} {expiry}".encode()
        return base64.b64encode(hmac.new(self._signing_key, text, hashlib.sha256).digest()).decode()

    def paths(self, given: Mapping[str, object], base_url: str) -> dict[str, str]:
        """The uploads that an input names by URL, and where they are on disk."""
        urls = [one for value in given.values() for one in _each(value) if isinstance(one, str)]
        paths = {url: self._files.upload(upload_id) for url in urls if (upload_id := _named(url, base_url))}
        return {url: str(path) for url, path in paths.items() if path.is_file()}


def _named(url: str, base_url: str) -> str:
    """The id of the upload whose ``get`` or ``download`` link this is, or nothing."""
    prefix = f"{base_url}/v1/files/"
    found = _ID.match(url, len(prefix)) if url.startswith(prefix) else None
    return found[0] if found else ""


def _each(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _text(fields: Mapping[str, memoryview], name: str) -> str:
    return bytes(fields[name][:_MAX_FIELD_BYTES]).decode(errors="replace") if name in fields else ""


def _media_type(text: str) -> str:
    if not _MEDIA_TYPE.fullmatch(text):
        raise InvalidRequest(f"{text[:100]!r} is not a media type.")
    return text


def _metadata(text: str) -> dict[str, Any]:
    try:
        metadata: object = json.loads(text or "{}")
    except ValueError:
        metadata = None
    if not isinstance(metadata, dict):
        raise InvalidRequest("The field 'metadata' is not a JSON object.")
    return cast("dict[str, Any]", metadata)
