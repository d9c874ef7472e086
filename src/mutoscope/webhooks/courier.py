"""Takes deliveries to their receivers: claims what is due, has it sent, writes down how it went.

Any number of couriers may work on one database. Each message goes out at least once, under the same ``webhook-id``
every time; a receiver that keeps the ids it has seen takes it once.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.clock import Clock
from mutoscope.core.errors import MutoscopeError
from mutoscope.core.killpoints import KillPoints
from mutoscope.core.settings import WebhookSettings
from mutoscope.db import Database
from mutoscope.webhooks import deliveries
from mutoscope.webhooks.models import WebhookDelivery
from mutoscope.webhooks.sending import Outcome, Sender, retry_s

CONCURRENCY = 64
PER_ACCOUNT = 8
SWEEP_S = 1.0
log = logging.getLogger(__name__)


class Courier:
    """Runs until it is stopped.

    Args:
        database: Where the deliveries are.
        clock: The time.
        sender: Makes the tries.
        settings: Time-outs and retries.
        kill: Where tests may end the process.
    """

    def __init__(
        self, database: Database, clock: Clock, sender: Sender, settings: WebhookSettings, kill: KillPoints
    ) -> None:
        self._database, self._clock, self._sender, self._settings, self._kill = database, clock, sender, settings, kill
        self._lease = timedelta(seconds=settings.timeout_s + settings.lease_margin_s)
        self._running: dict[asyncio.Task[None], str] = {}
        self._woken = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Claim and send until ``stop``, then let what is under way end, which takes at most one time-out."""
        try:
            while not self._stopping:
                self._woken.clear()
                wait_s = await self._guarded()
                if wait_s > 0 and not self._stopping:
                    await self._rest(wait_s)
        finally:
            await self._finish()

    def ring(self) -> None:
        """Something may be due. A lost ring costs at most a sweep."""
        self._woken.set()

    def stop(self) -> None:
        """Ask the loop to end; ``run`` returns when it has."""
        self._stopping = True
        self._woken.set()

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return

    async def _guarded(self) -> float:
        try:
            return await self._send_due()
        except MutoscopeError as error:
            log.warning("no webhooks can be claimed: %s", error.detail)
        except Exception:
            # The edge of the courier: whatever is wrong now, later deliveries must go on.
            log.exception("claiming webhooks failed unexpectedly")
        return SWEEP_S

    async def _send_due(self) -> float:
        """Start what is due; returns how long there is nothing to do unless somebody rings."""
        places = CONCURRENCY - len(self._running)
        if places <= 0:
            return SWEEP_S
        now = self._clock.now()
        async with self._database.read() as session:
            due = await deliveries.next_due(session)
        if due is None or due > now:
            return SWEEP_S if due is None else min((due - now).total_seconds(), SWEEP_S)
        claimed = await self._claim(places)
        for delivery in claimed:
            self._start(delivery)
        return 0 if claimed else SWEEP_S

    async def _claim(self, places: int) -> Sequence[WebhookDelivery]:
        under_way = Counter(self._running.values())
        limits = deliveries.ClaimLimits(self._lease, total=places, per_account=PER_ACCOUNT, under_way=under_way)
        async with self._commit("delivery_claim") as session:
            return await deliveries.claim(session, limits, now=self._clock.now())

    def _start(self, delivery: WebhookDelivery) -> None:
        task = asyncio.create_task(self._carry(delivery), name=f"deliver {delivery.message_id}")
        self._running[task] = delivery.account_id
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._woken.set()  # a place is free, and what waited behind this message may go

    async def _carry(self, delivery: WebhookDelivery) -> None:
        try:
            outcome = await self._sender.attempt(delivery)
            self._kill.reach("post.after_call")
            await self._write_down(delivery, outcome)
        except MutoscopeError as error:
            log.warning("webhook %s waits for its lease to end: %s", delivery.message_id, error.detail)
        except Exception:
            # The edge of one delivery: it is tried again when its lease ends, and the others must go on.
            log.exception("webhook %s failed unexpectedly", delivery.message_id)

    async def _write_down(self, delivery: WebhookDelivery, outcome: Outcome) -> None:
        now = self._clock.now()
        async with self._commit("delivery_end") as session:
            if outcome.state == "pending":
                due = now + timedelta(seconds=retry_s(delivery.attempts, base_s=self._settings.retry_s))
                values = {"due_at": due}
            else:
                values = {"state": outcome.state, "due_at": None, "ended_at": now}
            values |= {"last_status": outcome.status, "last_error": outcome.error}
            ended_so = await deliveries.write(session, delivery, **values)
        if ended_so and outcome.state == "given_up":
            log.warning("webhook %s for %s is given up: %s", delivery.message_id, delivery.subject_id, outcome.error)

    async def _finish(self) -> None:
        """Let tries under way end; what does not is tried again by another when its lease ends."""
        if not self._running:
            return
        _, late = await asyncio.wait([*self._running], timeout=self._settings.timeout_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    @asynccontextmanager
    async def _commit(self, name: str) -> AsyncGenerator[AsyncSession]:
        async with self._database.write() as session:
            yield session
            self._kill.reach(f"{name}.before_commit")
        self._kill.reach(f"{name}.after_commit")
