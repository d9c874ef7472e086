"""How an input names an uploaded file, pure: by its id, or by any URL of it that we have given out.

A URL is known by the id in its path and not by its host, because one service is reached under several names. Ids are
long and random, and whose file it is is asked afterwards. At a path of ours what only looks like an id names a file
too, one that is not there: a link with a typing error is refused here, and not sent to a provider that cannot read it.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mutoscope.core.json_walk import map_strings

_ID = r"file_[0-9a-hjkmnp-tv-z]{26}"
_LIKE_AN_ID = r"file_[0-9A-Za-z]{20,32}"
_REST = r"(?:\.[a-z0-9]{1,8}|/download)?(?:[?#]\S*)?"
_NAMED = re.compile(rf"(?:https?://[^\s?#]*/)?({_ID}){_REST}")
_MISTYPED = re.compile(rf"https?://[^\s?#]*/(?:v1/files|acct_[0-9a-z]+)/({_LIKE_AN_ID}){_REST}")


def named_upload(text: str) -> str | None:
    """The id of the upload that a whole string names, or ``None``. It may be an id that cannot be."""
    found = _NAMED.fullmatch(text) or _MISTYPED.fullmatch(text)
    return found[1] if found else None


def named_uploads(value: Any) -> Counter[str]:
    """The ids of all uploads that are named anywhere in a JSON value, each with how often."""
    found: Counter[str] = Counter()

    def visit(text: str) -> str:
        if upload_id := named_upload(text):
            found[upload_id] += 1
        return text

    map_strings(value, visit)
    return found


def with_uploads(value: Any, links: Mapping[str, str]) -> Any:
    """The same value with each name of an upload replaced by its link, for the ids in ``links``."""
    return map_strings(value, lambda text: links.get(named_upload(text) or "", text))
