"""The embedded engine: one loop that claims due rows and advances them, in ``serve`` or in ``worker``.

A parked generation costs one row: no task, no memory, no polling of its own. The loop is woken by the bell, by a
timer for rows that come due soon, and by a sweep that finds what nobody rang for, such as the rows of a worker that
died.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from mutoscope.core.errors import MutoscopeError
from mutoscope.core.settings import EngineSettings
from mutoscope.generations import admission, transitions
from mutoscope.generations.admission import Limits
from mutoscope.generations.advance import advance_claimed
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation
from mutoscope.generations.signals import Signals

log = logging.getLogger(__name__)


class EmbeddedEngine:
    """Runs until it is stopped; any number may run on one database.

    Args:
        machine: The parts of the state machine.
        limits: Admission limits by provider.
        signals: The bell of this process.
        settings: Concurrency, lease and sweep.
    """

    def __init__(
        self, machine: Machine, limits: Mapping[str, Limits], signals: Signals, settings: EngineSettings
    ) -> None:
        self._machine = machine
        self._limits = limits
        self._signals = signals
        self._settings = settings
        self._running: dict[asyncio.Task[datetime | None], Generation] = {}
        self._stopping = False

    async def run(self) -> None:
        """Claim and advance until ``stop``, then finish what is under way, within ``shutdown_s``."""
        heartbeat = asyncio.create_task(self._renew_leases(), name="leases")
        try:
            while not self._stopping:
                free = self._settings.concurrency - len(self._running)
                claimed = await self._claim(free)
                for row in claimed:
                    self._start(row)
                # As much as was asked for: there may be more, and steps that ended meanwhile have rung nobody.
                if not 0 < free <= len(claimed):
                    await self._signals.wait_for_work(self._settings.sweep_s)
        finally:
            await self._finish()
            heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await heartbeat

    def stop(self) -> None:
        """Ask the loop to end; ``run`` returns when it has."""
        self._stopping = True
        self._signals.ring()

    async def _claim(self, free: int) -> Sequence[Generation]:
        if free <= 0:
            return []
        rows = await _guarded(self._claim_due(free))
        for provider, limits in self._limits.items():
            rows += await _guarded(self._admit(provider, limits, limit=free - len(rows)))
        return rows

    async def _claim_due(self, limit: int) -> Sequence[Generation]:
        now = self._machine.clock.now()
        async with self._machine.commit("claim") as session:
            return await transitions.claim_due(session, now=now, lease=self._machine.policy.lease, limit=limit)

    async def _admit(self, provider: str, limits: Limits, *, limit: int) -> Sequence[Generation]:
        if limit <= 0:
            return []
        now = self._machine.clock.now()
        until = now + self._machine.policy.lease
        async with self._machine.database.read() as session:
            if not await admission.anything_queued(session, provider):
                return []
        async with self._machine.commit("admit") as session:
            admitted = await admission.admit(session, provider, limits, now=now, until=until, limit=limit)
            if len(admitted) < limit:
                self._ring_at(await admission.opens_at(session, provider, limits, now=now))
        return admitted

    def _start(self, row: Generation) -> None:
        task = asyncio.create_task(advance_claimed(self._machine, row), name=f"advance {row.id}")
        self._running[task] = row
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[datetime | None]) -> None:
        full = len(self._running) >= self._settings.concurrency
        del self._running[task]
        if full:
            self._signals.ring()
        if task.cancelled():
            return
        if error := task.exception():
            log.error("advance ended with an error", exc_info=error)
        else:
            self._ring_at(task.result())

    def _ring_at(self, due: datetime | None) -> None:
        """Ring when a row comes due before the next sweep would find it."""
        if due is None:
            return
        wait_s = (due - self._machine.clock.now()).total_seconds()
        if wait_s < self._settings.sweep_s:
            asyncio.get_running_loop().call_later(max(wait_s, 0) + 0.001, self._signals.ring)

    async def _renew_leases(self) -> None:
        """Prolong the leases of long steps; a step whose row was taken over is stopped."""
        lease = timedelta(seconds=self._settings.lease_s)
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            held = dict(self._running)
            if not held:
                continue
            try:
                async with self._machine.database.write() as session:
                    until = self._machine.clock.now() + lease
                    ours = await transitions.renew(session, [*held.values()], until=until)
            except MutoscopeError as error:
                log.warning("leases could not be renewed: %s", error.detail)
                continue
            except Exception:
                # The edge of the heartbeat: without it every long step would lose its lease.
                log.exception("renewing leases failed unexpectedly")
                continue
            for task, row in held.items():
                if row.id not in ours and task in self._running:
                    log.warning("%s was taken over by another worker", row.id)
                    task.cancel()

    async def _finish(self) -> None:
        """Let running steps end; what does not is cancelled, its lease runs out and another takes it up."""
        if not self._running:
            return
        _, late = await asyncio.wait([*self._running], timeout=self._settings.shutdown_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


async def _guarded(claim: Awaitable[Sequence[Generation]]) -> list[Generation]:
    """What was claimed, or nothing: a claim that fails must not end the engine, nor lose what was claimed beside it."""
    try:
        return list(await claim)
    except MutoscopeError as error:
        log.warning("no work can be claimed: %s", error.detail)
    except Exception:
        # The edge of the engine: whatever is wrong, all other generations of this process go on.
        log.exception("claiming failed unexpectedly")
    return []
