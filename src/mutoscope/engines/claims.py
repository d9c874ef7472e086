"""What an engine claims: rows that are due, and those that admission lets in, each kind guarded against the other."""

import logging
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.errors import MutoscopeError
from mutoscope.generations import admission
from mutoscope.generations.admission import Limits
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation
from mutoscope.generations.signals import Signals

log = logging.getLogger(__name__)


class ClaimDue(Protocol):
    """``transitions.claim_due``, or one that leaves more to others."""

    async def __call__(
        self, session: AsyncSession, *, now: datetime, lease: timedelta, limit: int
    ) -> Sequence[Generation]:
        """Lease up to ``limit`` rows until ``now + lease``."""
        ...


class Claims:
    """Claims rows, and rings when the next can be claimed.

    Args:
        machine: The parts of the state machine.
        limits: Admission limits by provider.
        signals: The bell of this process.
        claim_due: Which rows are to be claimed when they are due.
        sweep_s: How often is looked anyhow.
    """

    def __init__(
        self,
        machine: Machine,
        limits: Mapping[str, Limits],
        signals: Signals,
        claim_due: ClaimDue,
        sweep_s: float,
    ) -> None:
        self._machine = machine
        self._limits = limits
        self._signals = signals
        self._claim_due = claim_due
        self._sweep_s = sweep_s

    async def take(self, limit: int, lease: timedelta) -> list[Generation]:
        """Up to ``limit`` rows, leased for ``lease``: whatever is due first, new ones after it."""
        if limit <= 0:
            return []
        rows = await _guarded(self._due(limit, lease))
        for provider, limits in self._limits.items():
            rows += await _guarded(self._admit(provider, limits, limit - len(rows), lease))
        return rows

    def ring_at(self, due: datetime) -> None:
        """Ring when a row can be claimed before the next sweep would find it."""
        wait_s = (due - self._machine.clock.now()).total_seconds()
        if wait_s < self._sweep_s:
            self._signals.ring_in(wait_s)

    async def _due(self, limit: int, lease: timedelta) -> Sequence[Generation]:
        now = self._machine.clock.now()
        async with self._machine.commit("claim") as session:
            return await self._claim_due(session, now=now, lease=lease, limit=limit)

    async def _admit(self, provider: str, limits: Limits, limit: int, lease: timedelta) -> Sequence[Generation]:
        if limit <= 0:
            return []
        now = self._machine.clock.now()
        async with self._machine.database.read() as session:
            if not await admission.anything_queued(session, provider):
                return []
        async with self._machine.commit("admit") as session:
            until = now + lease
            admitted = await admission.admit(session, provider, limits, now=now, until=until, limit=limit)
            if len(admitted) < limit and (opens := await admission.opens_at(session, provider, limits, now=now)):
                self.ring_at(opens)
        return admitted


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
