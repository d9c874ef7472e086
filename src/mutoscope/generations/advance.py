"""``advance``: perform the next transition of a generation, and say when to be called again.

This is the one function that engines drive. It may run twice, at the same time, on two machines, and be killed
anywhere: each step guards itself by the row's phase and epoch, and what it does outside the database can be done
again, or found again, or does no harm.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mutoscope.core.errors import MutoscopeError, NotFound
from mutoscope.generations import doubt, keep, pacing, settle, submit, watch
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation
from mutoscope.generations.states import Phase
from mutoscope.generations.transitions import Fenced, stumble

log = logging.getLogger(__name__)

# A step is mostly quicker than its lease is long.
LOOK_AGAIN = timedelta(seconds=1)

Step = Callable[[Machine, Generation], Awaitable[Generation]]

STEPS: dict[Phase, Step] = {
    Phase.QUEUED: submit.wait_in_queue,
    Phase.SUBMIT: submit.submit,
    Phase.SUBMITTING: submit.died_submitting,
    Phase.DOUBT: doubt.resolve,
    Phase.AWAIT: watch.watch,
    Phase.STORE: keep.store,
    Phase.SETTLE: settle.settle,
    Phase.DONE: settle.tidy,
}


@dataclass(frozen=True, slots=True)
class Next:
    """What a generation needs next, for an engine that makes each step by itself.

    Attributes:
        phase: What the next step will be.
        due: When; ``None`` when nothing more is to be done.
        epoch: Of its last lease.
        run: The newest run that has looked after it.
        ours: Whether that lease is kept for the caller's next step. Another's is not to be taken.
    """

    phase: Phase
    due: datetime | None
    epoch: int
    run: int
    ours: bool = False


async def advance(machine: Machine, row: Generation) -> datetime | None:
    """Take a row that is claimed as far as it goes now, step after step, until it must wait or is done.

    Returns:
        When it is due again; ``None`` when it is done, or held by somebody else who will see to it.
    """
    while True:
        moved, due = await _step(machine, row)
        if moved is None or moved.lease_until is None:
            return due
        row = moved


async def advance_once(machine: Machine, row: Generation) -> Next:
    """One step of a row that is claimed. The lease is kept for the next one, if that is due at once."""
    moved, due = await _step(machine, row)
    if due is None:
        return await look(machine, row.id)
    kept = moved is not None and moved.lease_until is not None
    return Next(Phase((moved or row).phase), due, row.epoch, row.run, ours=kept)


async def look(machine: Machine, generation_id: str) -> Next:
    """What a generation needs next, without touching it; while somebody holds it, another look a little later.

    Raises:
        NotFound: There is no such generation.
    """
    async with machine.database.read() as session:
        row = await session.get(Generation, generation_id)
    if row is None:
        raise NotFound(f"There is no generation {generation_id}.")
    now, due = machine.clock.now(), row.due_at
    if due and row.lease_until and row.lease_until > now:
        due = min(row.lease_until, now + LOOK_AGAIN)
    return Next(Phase(row.phase), due, row.epoch, row.run)


async def _step(machine: Machine, row: Generation) -> tuple[Generation | None, datetime | None]:
    """The row as it is after one step and when it is due; no row when it could not be done, or was taken over."""
    phase = Phase(row.phase)
    try:
        moved = await STEPS[phase](machine, row)
    except Fenced:
        return None, None
    except MutoscopeError as error:
        log.warning("%s: %s could not be done yet: %s", row.id, phase, error.detail)
        return None, await _stumble(machine, row)
    except Exception:
        # The edge of a step: whatever went wrong, the row must stay alive and the others must go on.
        log.exception("%s: %s failed unexpectedly", row.id, phase)
        return None, await _stumble(machine, row)
    return moved, moved.due_at


async def _stumble(machine: Machine, row: Generation) -> datetime:
    due = machine.clock.now() + timedelta(seconds=pacing.backoff_s(row.stumbles))
    try:
        async with machine.database.write() as session:
            await stumble(session, row, due=due)
    except MutoscopeError as error:
        # Without a database the lease simply runs out.
        log.warning("%s: could not be given back: %s", row.id, error.detail)
    return due
