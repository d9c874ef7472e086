"""Sends what is to be run. A row is claimed before its event is sent, so an event that is lost leaves a row whose lease
ends, and is sent anew under another id; one that is sent twice has the same id.
"""

import asyncio
import logging
from datetime import timedelta
from functools import partial

from inngest import Event, Inngest

from mutoscope.core.settings import EngineSettings
from mutoscope.engines.claims import ClaimDue, Claims
from mutoscope.engines.inngest.functions import REQUESTED, SIGNALED
from mutoscope.engines.leases import Leases
from mutoscope.generations import transitions
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation
from mutoscope.generations.signals import Signals

log = logging.getLogger(__name__)

BATCH = 100
AGAIN_S = 1.0


def claim_unattended(settings: EngineSettings) -> ClaimDue:
    """Which rows are to be claimed: those that no run looks after."""
    return partial(transitions.claim_unattended, lost_after=timedelta(seconds=settings.lost_after_s))


class InngestEngine:
    """Claims rows and asks Inngest to run them; the steps come back as requests, to any process.

    Args:
        machine: The parts of the state machine.
        signals: The bell of this process.
        claims: Finds rows that nobody looks after.
        leases: Of the steps that this process makes.
        client: Where events are sent.
        settings: Sweep and shutdown.
    """

    def __init__(
        self,
        machine: Machine,
        signals: Signals,
        claims: Claims,
        leases: Leases,
        client: Inngest,
        settings: EngineSettings,
    ) -> None:
        self._machine, self._signals, self._claims = machine, signals, claims
        self._leases, self._client, self._settings = leases, client, settings
        self._lost_after = timedelta(seconds=settings.lost_after_s)
        self._unsent: list[Event] = []
        self._stopping = False

    async def run(self) -> None:
        """Until ``stop``; then what this process has begun is finished."""
        async with self._leases.beating():
            try:
                while not self._stopping:
                    if not await self._relay():
                        await self._signals.wait_for_work(self._settings.sweep_s)
            finally:
                await self._leases.finish(self._settings.shutdown_s)

    def stop(self) -> None:
        """Ask the loop to end; ``run`` returns when it has."""
        self._stopping = True
        self._signals.ring()

    async def restart(self, generation_id: str) -> None:
        """Ask for another run at once, unless the generation is not due or somebody is at it."""
        now = self._machine.clock.now()
        async with self._machine.commit("claim") as session:
            row = await transitions.claim_one(session, generation_id, now=now, lease=self._lost_after)
        if row:
            await self._client.send(_event(REQUESTED, row))

    async def _relay(self) -> bool:
        """Send what there is; whether there may be more. While nothing can be sent, nothing more is claimed."""
        rows = [] if self._unsent else await self._claims.take(BATCH, self._lost_after)
        self._unsent += [self._event(row) for row in rows]
        if not self._unsent:
            return False
        try:
            await self._client.send([*self._unsent])
        except Exception as error:  # noqa: BLE001 - the SDK has no one error for a server that is away
            log.warning("Inngest cannot be reached, %d events wait: %s", len(self._unsent), error)
            await asyncio.sleep(AGAIN_S)
            return True
        self._unsent.clear()
        return len(rows) >= BATCH

    def _event(self, row: Generation) -> Event:
        """To the run that looks after the row, or for a new one: there was none, or nothing was heard of it."""
        lost = row.due_at is None or row.due_at <= self._machine.clock.now() - self._lost_after
        return _event(REQUESTED if lost or not row.run else SIGNALED, row)


def _event(name: str, row: Generation) -> Event:
    ids = {"generation_id": row.id, "account_id": row.account_id, "lease": row.epoch, "run": row.epoch}
    return Event(id=f"{row.id}:{row.epoch}", name=name, data={**ids, "priority": row.priority, "phase": row.phase})
