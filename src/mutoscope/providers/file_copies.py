"""Files that Replicate keeps for inputs (``/v1/files``): sent as a stream, and found again by our own id."""

import json

import httpx
from pydantic import ValidationError

from mutoscope.providers.base import FileCopy, FileToSend, ProviderDown
from mutoscope.providers.calls import Calls
from mutoscope.providers.forms import FileForm
from mutoscope.replicate_protocol.files import File, FilePage

MAX_PAGES = 5
REF = "mutoscope_file"
"""The name under which a copy's metadata has our id."""


async def send_file(calls: Calls, file: FileToSend) -> FileCopy:
    """See ``Provider.send_file``."""
    fields = {"metadata": json.dumps({REF: file.ref}), "filename": file.name, "type": file.media_type}
    form = FileForm(fields, file)
    answer = await calls.send("files", form.body(), form.headers)
    try:
        return _copy(File.model_validate_json(answer.content))
    except ValidationError as error:
        raise ProviderDown("Replicate's answer is not a file") from error


async def find_file(calls: Calls, ref: str) -> FileCopy | None:
    """See ``Provider.find_file``. Looks at the newest pages only: what is looked for was sent a moment ago."""
    url: str | None = "files"
    for _ in range(MAX_PAGES):
        answer = await calls.repeatable("GET", url)
        try:
            page = FilePage.model_validate_json(answer.content)
        except ValidationError as error:
            raise ProviderDown("Replicate's answer is not a list of files") from error
        if found := next((one for one in page.results if one.metadata.get(REF) == ref), None):
            return _copy(found)
        url = page.next
        if url is None or not calls.is_home(httpx.URL(url)):
            return None
    return None


def _copy(file: File) -> FileCopy:
    """Replicate says of every file when it goes; one that does not say so is trusted for no longer than now."""
    if "get" not in file.urls:
        raise ProviderDown("Replicate's answer does not say where the file is")
    return FileCopy(file.urls["get"], file.expires_at or file.created_at)
