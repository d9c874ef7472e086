"""Orphans.

Predictions that turned up after they had been given up. Adopted if of use, else cancelled and their cost kept.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from mutoscope.generations import attempts
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Attempt, Generation
from mutoscope.generations.states import Phase
from mutoscope.generations.transitions import move
from mutoscope.providers.base import Prediction, PredictionMissing


async def adopt_or_cancel(machine: Machine, row: Generation) -> Generation | None:
    """Deal with a waiting row's orphans; returns the row if one that has succeeded took the place of its prediction."""
    async with machine.database.read() as session:
        found = await attempts.orphans(session, row.id)
    adopted = None
    for orphan in found:
        prediction = await _ask(machine.provider(row).get, orphan)
        if prediction and prediction.status == "succeeded" and not adopted and not prediction.data_removed:
            adopted = await _adopt(machine, row, prediction)
        else:
            await _put_down(machine, row, orphan, prediction)
    if adopted:
        await put_down_all(machine, adopted)  # the prediction whose place was taken
    return adopted


async def put_down_all(machine: Machine, row: Generation) -> bool:
    """Cancel the orphans of a row that has ended; ``True`` when none is left running."""
    async with machine.database.read() as session:
        found = await attempts.orphans(session, row.id)
    ended = [await _put_down(machine, row, o, await _ask(machine.provider(row).get, o)) for o in found]
    return all(ended)


async def _ask(call: Callable[[str], Awaitable[Prediction]], orphan: Attempt) -> Prediction | None:
    assert orphan.prediction_id, "an orphan is known by its prediction"  # noqa: S101
    try:
        return await call(orphan.prediction_id)
    except PredictionMissing:
        return None


async def _adopt(machine: Machine, row: Generation, prediction: Prediction) -> Generation:
    """The orphan has what the row waits for: swap the two."""
    async with machine.commit("adopt") as session:
        await attempts.set_state(session, prediction.id, "bound")
        if row.prediction_id:
            await attempts.set_state(session, row.prediction_id, "orphan")
        values: dict[str, Any] = {"prediction_id": prediction.id, "prediction_status": prediction.status}
        return await move(session, row, Phase.AWAIT, now=machine.clock.now(), due=machine.clock.now(), **values)


async def _put_down(machine: Machine, row: Generation, orphan: Attempt, prediction: Prediction | None) -> bool:
    if prediction and not prediction.terminal:
        prediction = await _ask(machine.provider(row).cancel, orphan)
    if prediction and not prediction.terminal:
        return False
    async with machine.commit("put_down") as session:
        if prediction:
            await attempts.end(session, prediction, now=machine.clock.now())
        else:
            await attempts.set_state(session, str(orphan.prediction_id), "ended")
    return True
