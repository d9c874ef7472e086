"""What the provider said no to a moment ago, so that it is not asked for the same again and again."""

from collections import OrderedDict
from copy import copy
from datetime import datetime, timedelta

from mutoscope.core.errors import MutoscopeError

KEEP_FOR = timedelta(minutes=1)
MAX_KEPT = 1000


class Refusals:
    """The last refusals, by what was asked for. A model may be made at any time, so none lasts for long."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[datetime, MutoscopeError]] = OrderedDict()

    def keep(self, key: str, error: MutoscopeError, now: datetime) -> None:
        """Remember it, unless it says itself that trying again can help."""
        if error.retryable:
            return
        # A copy, because the error itself holds on to everything that it came through.
        self._kept[key] = (now, copy(error))
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def say_again(self, key: str, now: datetime) -> None:
        """Raise what was said a moment ago, if it was no."""
        kept = self._kept.get(key)
        if kept and now - kept[0] < KEEP_FOR:
            raise copy(kept[1])
