"""Kinds of settings: each says in one line what it must be, so that what cannot work is refused at the start."""

import re
from typing import Annotated

from pydantic import AfterValidator

STORAGE_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
"""One name in a storage key: the same thing in a bucket, on a disk and in a URL."""
STORAGE_KEY = re.compile(rf"{STORAGE_NAME}(/{STORAGE_NAME})*", re.ASCII)
# The account, the generation, the number and the extension come after it in a key.
MAX_PREFIX_CHARS = 512


def _storage_prefix(text: str) -> str:
    if len(text) > MAX_PREFIX_CHARS or not STORAGE_KEY.fullmatch(text):
        raise ValueError(
            f"must be names of A-Z a-z 0-9 . _ - separated by single slashes, none beginning with . or -, at most "
            f"{MAX_PREFIX_CHARS} characters, such as generations"
        )
    return text


StoragePrefix = Annotated[str, AfterValidator(_storage_prefix)]
