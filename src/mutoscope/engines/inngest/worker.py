"""One step of a run: take the row's lease, make one move, say what comes next. Safe to be done twice, and at once."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from inngest import NonRetriableError, RetryAfterError

from mutoscope.core.errors import MutoscopeError
from mutoscope.engines.leases import Leases
from mutoscope.generations import transitions
from mutoscope.generations.advance import Next, advance_once, look
from mutoscope.generations.machine import Machine

# Epochs begin at 1.
NO_LEASE = 0


@contextmanager
def for_inngest() -> Generator[None]:
    """Say of our errors, in Inngest's words, whether and when trying again can help; else its own back-off holds."""
    try:
        yield
    except MutoscopeError as error:
        if not error.retryable:
            raise NonRetriableError(error.detail, quiet=True) from error
        if after_s := getattr(error, "retry_after_s", None):
            raise RetryAfterError(error.detail, timedelta(seconds=after_s), quiet=True) from error
        raise


class StepWorker:
    """What the functions call.

    Args:
        machine: The parts of the state machine.
        leases: Keeps the lease of a step that takes long.
    """

    def __init__(self, machine: Machine, leases: Leases) -> None:
        self._machine = machine
        self._leases = leases

    async def advance(self, generation_id: str, lease: int, run: int | None) -> dict[str, Any]:
        """Make the next move, if it is due and nobody else is at it.

        Args:
            generation_id: Which generation.
            lease: The epoch of the one that the caller was handed; ``NO_LEASE`` if it was handed none.
            run: The number of the caller's run; ``None`` for a helper that is no run of its own.

        Returns:
            ``phase``: what comes next. ``due``: when (ISO 8601), ``None`` if there is nothing more to do for this run.
            ``wait_s``: in how many seconds that is, 0 for at once. ``lease``: what to hand on. ``epoch``: of the row.

        Raises:
            MutoscopeError: Something is down; nothing was lost.
            RetryAfterError: The same, and it is known for how long.
            NonRetriableError: There is no such generation, or another cause that trying again does not mend.
        """
        with for_inngest():
            following = await self._advance(generation_id, lease, run)
        due = None if run is not None and following.run > run else following.due
        wait_s = max((due - self._machine.clock.now()).total_seconds(), 0) if due else 0
        handed_on = following.epoch if following.ours else NO_LEASE
        found = {"phase": following.phase, "due": due.isoformat() if due else None, "wait_s": wait_s}
        return {**found, "lease": handed_on, "epoch": following.epoch}

    async def _advance(self, generation_id: str, lease: int, run: int | None) -> Next:
        machine, now = self._machine, self._machine.clock.now()
        async with machine.commit("claim") as session:
            row = await transitions.resume(
                session, generation_id, epoch=lease, run=run, now=now, lease=machine.policy.lease
            )
        if row is None:
            return await look(machine, generation_id)
        step = self._leases.hold(row, advance_once(machine, row))
        # The step outlives its request: a server that hangs up must not break it off in the middle.
        await asyncio.wait({step})
        return await look(machine, generation_id) if step.cancelled() else step.result()
