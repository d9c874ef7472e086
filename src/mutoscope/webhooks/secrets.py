"""The accounts' own signing secrets: made when first needed, replaced on demand, and never shared by two accounts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.clock import Clock
from mutoscope.core.ids import new_id
from mutoscope.core.killpoints import KillPoints, NoKillPoints
from mutoscope.db import Database
from mutoscope.db.base import table
from mutoscope.db.upsert import upsert
from mutoscope.replicate_protocol.webhooks import new_webhook_secret
from mutoscope.webhooks.models import WebhookSecret

OVERLAP = timedelta(hours=24)
"""How long a replaced secret signs beside the new one, so that receivers can be changed without a gap."""

_secrets = table(WebhookSecret)


class WebhookSecrets:
    """Each call is a transaction of its own, and may run twice and at the same time."""

    def __init__(self, database: Database, clock: Clock, kill: KillPoints | None = None) -> None:
        self._database = database
        self._clock = clock
        self._kill = kill or NoKillPoints()

    async def current(self, account_id: str) -> str:
        """The account's secret, ``whsec_…``; made if there is none yet."""
        return (await self.signing(account_id))[0]

    async def signing(self, account_id: str) -> Sequence[str]:
        """The secrets that sign now, the current one first."""
        async with self._database.read() as session:
            found = await _signing(session, account_id, self._clock.now())
        return found or await self._make(account_id, replace=False)

    async def rotate(self, account_id: str) -> str:
        """A new secret; the old one signs beside it for a day."""
        return (await self._make(account_id, replace=True))[0]

    async def _make(self, account_id: str, *, replace: bool) -> Sequence[str]:
        now = self._clock.now()
        async with self._database.write() as session:
            if replace:
                current = (_secrets.c.account_id == account_id, _secrets.c.replaced_at.is_(None))
                await session.execute(update(_secrets).where(*current).values(replaced_at=now))
            row = {"id": new_id("whs"), "account_id": account_id, "secret": new_webhook_secret(), "created_at": now}
            # Of two who are first at the same time, one makes it and both are given it.
            await session.execute(upsert(session, _secrets).values(row).on_conflict_do_nothing())
            found = await _signing(session, account_id, now)
            self._kill.reach("secret.before_commit")
        self._kill.reach("secret.after_commit")
        return found


async def _signing(session: AsyncSession, account_id: str, now: datetime) -> Sequence[str]:
    live = or_(_secrets.c.replaced_at.is_(None), _secrets.c.replaced_at > now - OVERLAP)
    newest_first = (_secrets.c.replaced_at.is_not(None), _secrets.c.created_at.desc())
    query = select(_secrets.c.secret).where(_secrets.c.account_id == account_id, live).order_by(*newest_first)
    return (await session.scalars(query)).all()
