"""The heartbeat: prolongs the leases of steps that take long, and stops those whose row was taken over."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

from mutoscope.core.errors import MutoscopeError
from mutoscope.generations import transitions
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation

log = logging.getLogger(__name__)

T = TypeVar("T")


class Leases:
    """The rows that this process holds, each with the task that works on it.

    Args:
        machine: The parts of the state machine.
        lease_s: How long a lease lasts without a heartbeat.
    """

    def __init__(self, machine: Machine, lease_s: float) -> None:
        self._machine = machine
        self._lease_s = lease_s
        self._held: dict[asyncio.Task[Any], Generation] = {}

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """What works on them."""
        return [*self._held]

    def hold(self, row: Generation, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin ``work`` on a row that is claimed, and keep its lease until that has ended."""
        task = asyncio.create_task(work, name=f"advance {row.id}")
        self._held[task] = row
        task.add_done_callback(self._held.pop)
        return task

    @asynccontextmanager
    async def beating(self) -> AsyncGenerator[None]:
        """Prolong leases for the length of the block."""
        heartbeat = asyncio.create_task(self._beat(), name="leases")
        try:
            yield
        finally:
            heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await heartbeat

    async def finish(self, within_s: float) -> None:
        """Let running steps end; what does not is cancelled, its lease runs out and another takes it up."""
        if not self._held:
            return
        _, late = await asyncio.wait(self.tasks, timeout=within_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            if not (held := dict(self._held)):
                continue
            try:
                ours = await self._renew([*held.values()])
            except MutoscopeError as error:
                log.warning("leases could not be renewed: %s", error.detail)
                continue
            except Exception:
                # The edge of the heartbeat: without it every long step would lose its lease.
                log.exception("renewing leases failed unexpectedly")
                continue
            for task, row in held.items():
                if row.id not in ours and task in self._held:
                    log.warning("%s was taken over by another worker", row.id)
                    task.cancel()

    async def _renew(self, rows: list[Generation]) -> set[str]:
        async with self._machine.database.write() as session:
            until = self._machine.clock.now() + timedelta(seconds=self._lease_s)
            return await transitions.renew(session, rows, until=until)
