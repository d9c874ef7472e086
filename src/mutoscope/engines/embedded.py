"""The embedded engine: one loop that claims due rows and advances them, in ``serve`` or in ``worker``.

A parked generation costs one row: no task, no memory, no polling of its own. The loop is woken by the bell, by a
timer for rows that come due soon, and by a sweep that finds what nobody rang for, such as the rows of a worker that
died.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime

from mutoscope.core.settings import EngineSettings
from mutoscope.engines.claims import Claims
from mutoscope.engines.leases import Leases
from mutoscope.generations.admission import Limits
from mutoscope.generations.advance import advance
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation
from mutoscope.generations.signals import Signals
from mutoscope.generations.transitions import claim_due

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
        self._signals = signals
        self._settings = settings
        self._claims = Claims(machine, limits, signals, claim_due, settings.sweep_s)
        self._leases = Leases(machine, settings.lease_s)
        self._stopping = False

    async def run(self) -> None:
        """Claim and advance until ``stop``, then finish what is under way, within ``shutdown_s``."""
        async with self._leases.beating():
            try:
                while not self._stopping:
                    free = self._free
                    claimed = await self._claims.take(free, self._machine.policy.lease)
                    for row in claimed:
                        self._start(row)
                    # As much as was asked for: there may be more, and steps that ended meanwhile have rung nobody.
                    if not 0 < free <= len(claimed):
                        await self._signals.wait_for_work(self._settings.sweep_s)
            finally:
                await self._leases.finish(self._settings.shutdown_s)

    def stop(self) -> None:
        """Ask the loop to end; ``run`` returns when it has."""
        self._stopping = True
        self._signals.ring()

    @property
    def _free(self) -> int:
        return self._settings.concurrency - len(self._leases.tasks)

    def _start(self, row: Generation) -> None:
        self._leases.hold(row, advance(self._machine, row)).add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[datetime | None]) -> None:
        if self._free == 1:
            self._signals.ring()  # it was full
        if task.cancelled():
            return
        if error := task.exception():
            log.error("advance ended with an error", exc_info=error)
        elif due := task.result():
            self._claims.ring_at(due)
