"""Limits rates with token buckets, as Replicate does: one for creates and one for all else, for each bearer token."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from mutoscope.runner.auth import bearer
from mutoscope.runner.config import RateLimit
from mutoscope.runner.problems import Throttled, answer

_MAX_BUCKETS = 10_000


class Limiter:
    """For each token a bucket that fills at ``per_minute`` and holds ``burst``."""

    def __init__(self, limit: RateLimit | None, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, token: str = "") -> None:
        """Use one up. Raises ``Throttled``, which says how long to wait for the next."""
        if self._limit is None:
            return
        per_s, burst, now = self._limit.per_minute / 60, float(self._limit.burst), self._now()
        if len(self._buckets) >= _MAX_BUCKETS:
            self._buckets.clear()  # any token may be accepted: never let them fill the memory
        left, at = self._buckets.get(token, (burst, now))
        left = min(burst, left + (now - at) * per_s)
        self._buckets[token] = (left - (left >= 1), now)
        if left < 1:
            raise Throttled((1 - left) / per_s, self._reason())

    def _reason(self) -> str:
        if self._limit is None or not self._limit.low_credit:
            return ""
        return (
            f"Your rate limit for creating predictions is reduced to {self._limit.per_minute:g} requests per minute "
            f"with a burst of {self._limit.burst} requests while you have less than $5.0 in credit. "
        )


class LimitRequests:
    """ASGI middleware: 429 for requests of the API that are too many. Creates have a limit of their own."""

    def __init__(self, app: ASGIApp, limit: RateLimit | None) -> None:
        self._app = app
        self._limiter = Limiter(limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429."""
        try:
            if scope["type"] == "http" and scope["path"].startswith("/v1/") and not _creates(scope):
                self._limiter.take(bearer(scope))
        except Throttled as error:
            await answer(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _creates(scope: Scope) -> bool:
    return scope["method"] == "POST" and scope["path"].endswith(("/predictions", "/trainings"))
