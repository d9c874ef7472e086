"""What callers do with generations.

Create, read, list, cancel, wait. Each is one transaction, committed before it answers.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.accounts.models import Account
from mutoscope.catalog.pricing import Quote
from mutoscope.catalog.service import Catalog
from mutoscope.core.canonical import sha256_of
from mutoscope.core.clock import Clock
from mutoscope.core.errors import Conflict, NotFound
from mutoscope.core.ids import new_id
from mutoscope.core.killpoints import KillPoints, NoKillPoints
from mutoscope.db.base import table
from mutoscope.db.engine import Database
from mutoscope.events import service as events
from mutoscope.generations.asking import Filter, NewGeneration, check_destination
from mutoscope.generations.inputs import InputFiles
from mutoscope.generations.models import Generation, OutputFile
from mutoscope.generations.placement import Placement
from mutoscope.generations.ports import Bell
from mutoscope.generations.rows import COLUMNS, seen
from mutoscope.generations.signals import Signals
from mutoscope.generations.states import FINAL, Phase, Status
from mutoscope.generations.transitions import wake
from mutoscope.ledger import service as ledger
from mutoscope.ledger.errors import InsufficientCredits
from mutoscope.replicate_protocol.schemas import streams_text

# A hundred, and one more to know whether there is a next page.
MAX_PAGE = 101
# Rung bells can be lost between processes, so a waiter also looks by itself.
LOOK_AGAIN_S = 1.0
_rows = table(Generation)
_READ = select(*COLUMNS).where(_rows.c.account_id == bindparam("account"))
_ONE = _READ.where(_rows.c.id == bindparam("which"))
_EARLIER = _READ.where(_rows.c.idempotency_key == bindparam("key"))
_PRIORITY = select(table(Account).c.priority).where(table(Account).c.id == bindparam("account")).scalar_subquery()
_MAKE = insert(_rows).values(priority=_PRIORITY).returning(*COLUMNS)


class IdempotencyConflict(Conflict):
    """The key was used before for another request."""

    code, title = "idempotency_conflict", "This Idempotency-Key was used for another request"


@dataclass(frozen=True, slots=True)
class Generations:
    """The service behind the API and the CLI."""

    database: Database
    clock: Clock
    catalog: Catalog
    bell: Bell
    signals: Signals
    kill: KillPoints = field(default_factory=NoKillPoints)
    inputs: InputFiles = field(kw_only=True)
    placement: Placement = field(kw_only=True)

    async def create(self, account_id: str, new: NewGeneration) -> Generation:
        """Validate, quote, hold and record: all of it, or nothing.

        Raises:
            InvalidInput: The input does not fit the model's schema; nothing is held.
            InsufficientCredits: The account cannot cover the quote.
            IdempotencyConflict: The key was used for another request.
            NotFound: There is no such model.
            InvalidRequest: A training without a destination, or a prediction with one.
            UnknownFile, FileUnreachable: It names an uploaded file that cannot be used; nothing is held.
        """
        if earlier := await self._earlier(account_id, new):
            return earlier
        check_destination(self.catalog.get(new.model), new.destination)
        await self.catalog.validate(new.model, new.input)
        quote = await self.catalog.quote(new.model, new.input)
        stream = await self._streams(new)
        await self._keep_files(account_id, new)
        try:
            async with self.database.write() as session:
                row = await self._insert(session, account_id, new, quote, stream=stream)
                self.kill.reach("accept.before_commit")
        except (IntegrityError, InsufficientCredits):
            # Somebody else's transaction with the same key won while ours ran, perhaps with the last of the credits;
            # ours is rolled back, hold and all.
            if new.idempotency_key and (earlier := await self._earlier(account_id, new)):
                return earlier
            raise
        self.kill.reach("accept.after_commit")
        self.bell.ring()
        return row

    async def get(self, account_id: str, generation_id: str) -> Generation:
        """One generation of this account. Raises ``NotFound``, also for somebody else's."""
        async with self.database.read() as session:
            return await self._get(session, account_id, generation_id)

    async def files(self, generation_ids: Sequence[str]) -> dict[str, list[OutputFile]]:
        """The stored files of several generations, in the order of the output."""
        found: dict[str, list[OutputFile]] = {generation_id: [] for generation_id in generation_ids}
        query = select(OutputFile).where(OutputFile.generation_id.in_(generation_ids)).order_by(OutputFile.number)
        async with self.database.read() as session:
            for file in await session.scalars(query):
                found[file.generation_id].append(file)
        return found

    async def page(self, account_id: str, which: Filter, *, limit: int) -> Sequence[Generation]:
        """The account's generations that fit, newest first; at most ``MAX_PAGE``."""
        query = _READ.where(*which.conditions()).order_by(_rows.c.id.desc()).limit(min(limit, MAX_PAGE))
        async with self.database.read() as session:
            return [seen(row) for row in (await session.execute(query, {"account": account_id})).mappings()]

    async def cancel(self, account_id: str, generation_id: str) -> Generation:
        """Ask for an end. What has ended stays as it is; what the provider finishes first is delivered and charged.

        Raises:
            NotFound: There is no such generation of this account.
        """
        now = self.clock.now()
        async with self.database.write() as session:
            row = await self._get(session, account_id, generation_id)
            if row.status in FINAL or row.cancel_requested_at:
                return row
            await wake(session, row.id, now=now, cancel_requested_at=now)
            row = await self._get(session, account_id, generation_id)
        self.bell.ring()
        return row

    async def wait(self, account_id: str, generation_id: str, *, timeout_s: float) -> Generation:
        """The generation once it has ended, or as it is after ``timeout_s``."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        async with self.signals.watching(generation_id) as changed:
            while True:
                changed.clear()
                row = await self.get(account_id, generation_id)
                left_s = deadline - asyncio.get_running_loop().time()
                if row.status in FINAL or left_s <= 0:
                    return row
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, LOOK_AGAIN_S)):
                        await changed.wait()

    async def _keep_files(self, account_id: str, new: NewGeneration) -> None:
        settings = self.catalog.get(new.model).settings
        needed = timedelta(seconds=settings.queue_timeout_s + settings.run_timeout_s)
        await self.inputs.check(account_id, new.input, until=self.clock.now() + needed)

    async def _streams(self, new: NewGeneration) -> bool:
        if isinstance(new.stream, bool):
            return new.stream
        by_itself = new.stream == "if_able" and streams_text(await self.catalog.schema(new.model))
        return by_itself or self.catalog.get(new.model).settings.stream

    async def _get(self, session: AsyncSession, account_id: str, generation_id: str) -> Generation:
        found = await session.execute(_ONE, {"account": account_id, "which": generation_id})
        row = found.mappings().one_or_none()
        if row is None:
            raise NotFound(f"There is no generation {generation_id[:64]!r} in this account.")
        return seen(row)

    async def _earlier(self, account_id: str, new: NewGeneration) -> Generation | None:
        """The generation that this key made before, if any."""
        if new.idempotency_key is None:
            return None
        values = {"account": account_id, "key": new.idempotency_key}
        async with self.database.read() as session:
            row = (await session.execute(_EARLIER, values)).mappings().one_or_none()
        earlier = None if row is None else seen(row)
        if earlier and earlier.request_sha256 != new.sha256():
            raise IdempotencyConflict(
                f"Idempotency-Key {new.idempotency_key!r} belongs to {earlier.id}, which was asked for with another "
                "body. Use a fresh key for a new request.",
                generation_id=earlier.id,
            )
        return earlier

    async def _insert(
        self, session: AsyncSession, account_id: str, new: NewGeneration, quote: Quote, *, stream: bool
    ) -> Generation:
        now = self.clock.now()
        entry = self.catalog.get(new.model)
        generation_id = new_id("gen")
        hold = await ledger.reserve(
            session,
            account_id=account_id,
            credit_type=quote.credit_type,
            amount=quote.credits,
            key=generation_id,
            now=now,
        )
        queue_deadline, deadline = new.deadlines(entry.settings, now)
        values: dict[str, Any] = {
            "account": account_id,
            "id": generation_id,
            "account_id": account_id,
            "status": Status.QUEUED,
            "phase": Phase.QUEUED,
            "due_at": queue_deadline,
            "queue_deadline": queue_deadline,
            "deadline": deadline,
            "webhook": new.webhook.as_json() if new.webhook else None,
            "model": entry.alias,
            "provider": self.placement.choose(entry.settings.accounts),
            "reference": str(entry.reference),
            "kind": entry.settings.kind,
            "destination": new.destination,
            "stream": stream,
            "input": dict(new.input),
            "input_sha256": sha256_of(new.input),
            "metadata": dict(new.metadata),
            "idempotency_key": new.idempotency_key,
            "request_sha256": new.sha256(),
            "credit_type": hold.credit_type,
            "terms": quote.terms,
            "hold_id": hold.id,
            "held_credits": hold.amount,
            "created_at": now,
        }
        row = seen((await session.execute(_MAKE, values)).mappings().one())
        data = {"status": row.status, "model": row.model, "held_credits": row.held_credits}
        await events.record(session, account_id, "generation.queued", row.id, data=data, now=now)
        return row
