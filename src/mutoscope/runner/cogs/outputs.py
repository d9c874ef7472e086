"""Makes files of what Cog sends as data URLs, so that they are served as any other output."""

import mimetypes
from collections.abc import Iterator
from itertools import count
from typing import Any

from mutoscope.runner.documents import map_strings
from mutoscope.runner.models.base import Job
from mutoscope.runner.models.context import decode_data_url


def keep_files(job: Job, output: Any) -> Any:
    """The same output with links to files of the job. Raises ``ModelFailed`` for what is no data URL. It blocks."""
    numbers = count()
    return map_strings(output, lambda text: _kept(job, text, numbers) if text.startswith("data:") else text)


def _kept(job: Job, url: str, numbers: Iterator[int]) -> str:
    data = decode_data_url(url)
    media_type = url.removeprefix("data:").partition(",")[0].partition(";")[0]
    path, link = job.file(f"output-{next(numbers)}{mimetypes.guess_extension(media_type) or '.bin'}")
    path.write_bytes(data)
    return link
