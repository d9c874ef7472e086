"""Files that Replicate keeps for inputs (``/v1/files``): sent as a stream, and found again by our own id."""

import json
from datetime import datetime
from typing import Any, cast

import httpx

from mutoscope.providers.answers import document, member
from mutoscope.providers.base import FileCopy, FileToSend, ProviderDown
from mutoscope.providers.calls import Calls
from mutoscope.providers.forms import FileForm

MAX_PAGES = 5
REF = "mutoscope_file"
"""The name under which a copy's metadata has our id."""


async def send_file(calls: Calls, file: FileToSend) -> FileCopy:
    """See ``Provider.send_file``."""
    fields = {"metadata": json.dumps({REF: file.ref}), "filename": file.name, "type": file.media_type}
    form = FileForm(fields, file)
    copy = _copy(document(await calls.send("files", form.body(), form.headers)))
    if copy is None:
        raise ProviderDown("Replicate's answer is not a file")
    return copy


async def find_file(calls: Calls, ref: str) -> FileCopy | None:
    """See ``Provider.find_file``. Looks at the newest pages only: what is looked for was sent a moment ago."""
    url: str | None = "files"
    for _ in range(MAX_PAGES):
        page = document(await calls.repeatable("GET", url))
        for one in cast("list[Any]", page.get("results") or []):
            if isinstance(one, dict) and member(cast("dict[str, Any]", one), "metadata").get(REF) == ref:
                return _copy(cast("dict[str, Any]", one))
        url = page.get("next")
        if not isinstance(url, str) or not calls.is_home(httpx.URL(url)):
            return None
    return None


def _copy(resource: dict[str, Any]) -> FileCopy | None:
    url, expires_at = member(resource, "urls").get("get"), resource.get("expires_at")
    try:
        return FileCopy(url, datetime.fromisoformat(str(expires_at))) if isinstance(url, str) else None
    except ValueError:
        return None
