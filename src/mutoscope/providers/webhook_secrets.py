"""The secrets that an account's webhooks may be signed with, and how a new one is learnt when it was changed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from mutoscope.core.errors import MutoscopeError

log = logging.getLogger(__name__)

# A forged webhook costs us no more than one call in this time.
ASK_AGAIN = timedelta(minutes=1)
# Webhooks that were signed before a change may still be on their way, or be sent again.
OVERLAP = timedelta(days=1)


class WebhookSecrets:
    """What is known, the newest first.

    Args:
        given: From the settings.
        fetch: Asks the provider for the one it signs with now.
    """

    def __init__(self, given: Sequence[str], fetch: Callable[[], Awaitable[str]]) -> None:
        self._known: list[tuple[str, datetime | None]] = [(secret, None) for secret in given]
        self._fetch = fetch
        self._asked_at: datetime | None = None
        self._lock = asyncio.Lock()
        self._version = 0

    def __bool__(self) -> bool:
        """Whether any is known."""
        return bool(self._known)

    def current(self, now: datetime) -> list[str]:
        """Those that are good now."""
        self._known = [one for one in self._known if one[1] is None or one[1] > now]
        return [secret for secret, _ in self._known]

    async def renew(self, now: datetime) -> bool:
        """Ask for the newest secret, unless that was done a moment ago; whether there is another than before."""
        version = self._version
        async with self._lock:
            if self._version != version:
                return True  # somebody else asked while we waited
            if self._asked_at is not None and now - self._asked_at < ASK_AGAIN:
                return False
            self._asked_at = now
            try:
                secret = await self._fetch()
            except MutoscopeError as error:
                log.warning("the secret that webhooks are signed with could not be asked for: %s", error.detail)
                return False
            return self._learn(secret, now)

    def _learn(self, secret: str, now: datetime) -> bool:
        if self._known and self._known[0][0] == secret:
            return False
        if self._known:
            log.warning("the provider signs webhooks with a new secret; the old one is good for another day")
        older = [(one, until or now + OVERLAP) for one, until in self._known if one != secret]
        self._known = [(secret, None), *older]
        self._version += 1
        return True
