"""``advance``: perform the next transition of a generation, and say when to be called again.

This is the one function that engines drive. It may run twice, at the same time, on two machines, and be killed
anywhere: each step guards itself by the row's phase and epoch, and what it does outside the database can be done
again, or found again, or does no harm.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from mutoscope.core.errors import MutoscopeError
from mutoscope.generations import doubt, keep, pacing, settle, submit, watch
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation
from mutoscope.generations.states import Phase
from mutoscope.generations.transitions import Fenced, claim_one, stumble

log = logging.getLogger(__name__)

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


async def advance(machine: Machine, generation_id: str) -> datetime | None:
    """Claim a generation, if it is due and free, and take it as far as it goes now.

    Returns:
        When to call again; ``None`` when it is done, or held by somebody else who will see to it.
    """
    now = machine.clock.now()
    async with machine.database.write() as session:
        row = await claim_one(session, generation_id, now=now, lease=machine.policy.lease)
    return None if row is None else await advance_claimed(machine, row)


async def advance_claimed(machine: Machine, row: Generation) -> datetime | None:
    """The same for a row that is claimed already: step after step, until it must wait or is done."""
    while True:
        phase = Phase(row.phase)
        try:
            row = await STEPS[phase](machine, row)
        except Fenced:
            return None
        except MutoscopeError as error:
            log.warning("%s: %s could not be done yet: %s", row.id, phase, error.detail)
            return await _stumble(machine, row)
        except Exception:
            # The edge of a step: whatever went wrong, the row must stay alive and the others must go on.
            log.exception("%s: %s failed unexpectedly", row.id, phase)
            return await _stumble(machine, row)
        if row.lease_until is None:
            return row.due_at


async def _stumble(machine: Machine, row: Generation) -> datetime:
    due = machine.clock.now() + timedelta(seconds=pacing.backoff_s(row.stumbles))
    try:
        async with machine.database.write() as session:
            await stumble(session, row, due=due)
    except MutoscopeError as error:
        # Without a database the lease simply runs out.
        log.warning("%s: could not be given back: %s", row.id, error.detail)
    return due
