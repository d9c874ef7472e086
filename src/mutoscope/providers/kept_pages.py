"""The pages that were read last, in bounded memory."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

MAX_KEPT = 1000
MAX_KEPT_BYTES = 64 * 1024 * 1024

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its status, its media type, and its body as it came."""

    status: int
    media_type: str
    body: bytes


class KeptPages:
    """Pages by what was asked for; those that were read longest ago make room."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[datetime, Page]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Key, after: datetime) -> Page | None:
        """The page, if it was read after that."""
        kept = self._kept.get(key)
        return kept[1] if kept and kept[0] > after else None

    def keep(self, key: Key, now: datetime, page: Page) -> None:
        """Keep a page that was just read."""
        if old := self._kept.pop(key, None):
            self._bytes -= _size(key, old[1])
        self._kept[key] = (now, page)
        self._bytes += _size(key, page)
        while self._bytes > MAX_KEPT_BYTES or len(self._kept) > MAX_KEPT:
            oldest_key, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= _size(oldest_key, oldest)


def _size(key: Key, page: Page) -> int:
    return sum(map(len, key)) + len(page.body)
