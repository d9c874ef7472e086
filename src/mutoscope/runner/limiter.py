"""Limits the rate of creates with a token bucket, as Replicate does."""

import time
from collections.abc import Callable

from mutoscope.runner.config import RateLimit
from mutoscope.runner.problems import Throttled


class Limiter:
    """A bucket that fills at ``per_minute`` and holds ``burst``."""

    def __init__(self, limit: RateLimit | None, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._now = now
        self._tokens = float(limit.burst) if limit else 0.0
        self._at = now()

    def take(self) -> None:
        """Use one token up. Raises ``Throttled``, which says how long to wait for the next."""
        if self._limit is None:
            return
        per_s = self._limit.per_minute / 60
        now = self._now()
        self._tokens = min(float(self._limit.burst), self._tokens + (now - self._at) * per_s)
        self._at = now
        if self._tokens < 1:
            raise Throttled((1 - self._tokens) / per_s)
        self._tokens -= 1
