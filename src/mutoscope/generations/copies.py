"""Who sends a file to a provider, and where its copy is: one sends it, and all use it.

The claim on a copy is committed before the call, its URL after it. Whoever holds a claim writes only as long as nobody
has taken it over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from mutoscope.core.clock import Clock
from mutoscope.core.errors import MutoscopeError
from mutoscope.core.killpoints import KillPoints
from mutoscope.db.base import table
from mutoscope.db.engine import Database
from mutoscope.db.upsert import upsert
from mutoscope.providers.base import FileCopy
from mutoscope.uploads.models import ProviderFile

# A copy must be good for at least this long when it is used, so that a cold start does not outlast it.
COPY_MARGIN = timedelta(minutes=15)
_copies = table(ProviderFile)


class FileBusy(MutoscopeError):
    """Another generation is sending the same file at this moment."""

    status, code, title, retryable = 503, "file_busy", "The file is being sent", True


@dataclass(slots=True)
class Claim:
    """The right to send a file to a provider.

    Attributes:
        upload_id: Which file.
        provider: To whom.
        until: When others may take the claim over; also by what it is known that they have not.
        is_first: Whether nobody can have sent a copy that was not written down.
    """

    upload_id: str
    provider: str
    until: datetime
    is_first: bool


@dataclass(frozen=True, slots=True)
class Copies:
    """What is remembered of copies.

    Attributes:
        database: Where.
        clock: The time.
        kill: Where tests kill the process.
        claim_life: How long the right to send a file outlives a process that has died.
    """

    database: Database
    clock: Clock
    kill: KillPoints
    claim_life: timedelta = timedelta(seconds=30)

    def lasts(self, copy: FileCopy) -> bool:
        """Whether a copy may still be used."""
        return copy.expires_at > self.clock.now() + COPY_MARGIN

    async def claim(self, upload_id: str, provider: str) -> FileCopy | Claim:
        """The copy if there is one that lasts; else the right to make it. Raises ``FileBusy`` if another has that."""
        now = self.clock.now()
        until = now + self.claim_life
        mine = (_copies.c.upload_id == upload_id, _copies.c.provider == provider)
        async with self.database.write() as session:
            new = upsert(session, _copies).values(upload_id=upload_id, provider=provider, claimed_until=until)
            made = await session.execute(new.on_conflict_do_nothing().returning(_copies.c.upload_id))
            is_first = made.first() is not None
            row = (await session.execute(select(_copies).where(*mine).with_for_update())).one()
            if row.url and self.lasts(copy := FileCopy(row.url, row.expires_at)):
                return copy
            if not is_first and row.claimed_until > now:
                raise FileBusy(f"{upload_id} is being sent to {provider} at this moment.")
            await session.execute(update(_copies).where(*mine).values(claimed_until=until, url=None, expires_at=None))
            self.kill.reach("file_claim.before_commit")
        self.kill.reach("file_claim.after_commit")
        return Claim(upload_id, provider, until, is_first or bool(row.url))

    async def renew(self, claim: Claim) -> None:
        """Prolong a claim, if a third of its life has passed. Raises ``FileBusy`` if another has taken it over."""
        now = self.clock.now()
        if claim.until - now > self.claim_life * 2 / 3:
            return
        if not await self._write(claim, claimed_until=now + self.claim_life):
            raise FileBusy(f"{claim.upload_id} is being sent to {claim.provider} by another process now.")
        claim.until = now + self.claim_life

    async def keep(self, claim: Claim, copy: FileCopy) -> None:
        """The copy is made: everybody may use it. Nothing, if another has taken the claim over and makes its own."""
        await self._write(claim, url=copy.url, expires_at=copy.expires_at, claimed_until=self.clock.now())

    async def release(self, claim: Claim) -> None:
        """It was not made: the next one may try. Nothing, if another has taken the claim over."""
        await self._write(claim, claimed_until=self.clock.now())

    async def _write(self, claim: Claim, **values: Any) -> bool:
        of = (_copies.c.upload_id == claim.upload_id, _copies.c.provider == claim.provider)
        held = (*of, _copies.c.url.is_(None), _copies.c.claimed_until == claim.until)
        async with self.database.write() as session:
            done = await session.execute(update(_copies).where(*held).values(**values).returning(_copies.c.upload_id))
            return done.first() is not None
