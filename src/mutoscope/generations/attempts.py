"""The attempts of a generation: the record of every prediction that was, or may have been, made for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.ids import new_id
from mutoscope.db.base import table
from mutoscope.generations.models import Attempt, Generation
from mutoscope.generations.transitions import wake
from mutoscope.providers.base import Prediction

_attempts = table(Attempt)
_of_ref = _attempts.c.ref == bindparam("which_ref")
_of_prediction = _attempts.c.prediction_id == bindparam("which_prediction")
_current = and_(_attempts.c.generation_id == bindparam("which"), _attempts.c.number == bindparam("which_number"))

# Built once; values named in the parameters are set too.
_INTEND = insert(_attempts)
_BIND = (
    update(_attempts)
    .where(_of_ref, or_(_attempts.c.prediction_id.is_(None), _of_prediction))
    .values(prediction_id=bindparam("which_prediction"), state="bound")
    .returning(_attempts.c.ref)
)
_MARK = update(_attempts).where(_current)
_GIVE_UP = _MARK.where(_attempts.c.prediction_id.is_not_distinct_from(bindparam("known"))).returning(_attempts.c.ref)
_END = update(_attempts).where(_of_prediction, _attempts.c.ended_at.is_(None))
_LEARN = (
    update(_attempts)
    .where(_of_ref, _attempts.c.prediction_id.is_(None), _attempts.c.state.in_(("intent", "in_doubt")))
    .values(prediction_id=bindparam("which_prediction"))
    .returning(_attempts.c.generation_id)
)
_OWNER = select(_attempts.c.generation_id).where(_of_prediction)


def new_ref() -> str:
    """A reference that rides in the webhook's URL."""
    return new_id("ref")


async def intend(
    session: AsyncSession, row: Generation, ref: str, *, now: datetime, sent_sha256: str | None = None
) -> None:
    """Write down that a prediction is about to be asked for, as the row's current attempt."""
    values = {"generation_id": row.id, "number": row.attempt, "ref": ref, "state": "intent", "created_at": now}
    await session.execute(_INTEND, {**values, "sent_sha256": sent_sha256})


async def bind(session: AsyncSession, ref: str, prediction_id: str) -> bool:
    """Tie a prediction to an attempt; ``False`` if the attempt has another one.

    Raises:
        IntegrityError: The prediction belongs to another attempt.
    """
    return (await session.execute(_BIND, {"which_ref": ref, "which_prediction": prediction_id})).first() is not None


async def mark(session: AsyncSession, row: Generation, state: str, **values: Any) -> None:
    """Write the state of the generation's current attempt."""
    await session.execute(_MARK, {"which": row.id, "which_number": row.attempt, "state": state, **values})


async def give_up(session: AsyncSession, row: Generation, state: str, *, known: str | None, **values: Any) -> bool:
    """End the generation's current attempt without a prediction; ``False``, and nothing done, if one has turned up.

    Args:
        session: The caller's transaction.
        row: The generation.
        state: ``abandoned`` or ``refused``.
        known: The id on the attempt as its caller last read it. A webhook may have written another meanwhile.
        values: What else to write.
    """
    which = {"which": row.id, "which_number": row.attempt, "known": known}
    return (await session.execute(_GIVE_UP, {**which, "state": state, **values})).first() is not None


async def end(session: AsyncSession, prediction: Prediction, *, now: datetime) -> None:
    """Record how a prediction ended and what it cost in seconds, whichever attempt it belongs to."""
    values = {"prediction_status": prediction.status, "predict_time_s": prediction.predict_time_s}
    await session.execute(_END, {"which_prediction": prediction.id, "state": "ended", "ended_at": now, **values})


async def owner(session: AsyncSession, prediction_id: str) -> str | None:
    """The generation that a prediction was made for, if it is one of ours."""
    return await session.scalar(_OWNER, {"which_prediction": prediction_id})


async def set_state(session: AsyncSession, prediction_id: str, state: str) -> None:
    """Write the state of the attempt that a prediction belongs to."""
    await session.execute(update(_attempts).where(_attempts.c.prediction_id == prediction_id).values(state=state))


async def current(session: AsyncSession, row: Generation) -> Attempt:
    """The generation's newest attempt that was intended."""
    return await session.get_one(Attempt, (row.id, row.attempt), populate_existing=True)


async def of(session: AsyncSession, generation_id: str) -> Sequence[Attempt]:
    """All attempts of a generation, oldest first."""
    query = select(Attempt).where(Attempt.generation_id == generation_id).order_by(Attempt.number)
    return (await session.scalars(query)).all()


async def orphans(session: AsyncSession, generation_id: str) -> Sequence[Attempt]:
    """Predictions that turned up after they had been given up, and have not ended."""
    query = select(Attempt).where(Attempt.generation_id == generation_id, Attempt.state == "orphan")
    return (await session.scalars(query)).all()


async def known_predictions(session: AsyncSession, ids: Sequence[str]) -> set[str]:
    """Which of these predictions belong to an attempt of ours."""
    query = select(_attempts.c.prediction_id).where(_attempts.c.prediction_id.in_(ids))
    return {found for found in (await session.scalars(query)).all() if found}


async def learn(session: AsyncSession, ref: str, prediction_id: str, *, now: datetime) -> bool:
    """Somebody knows which prediction carries ``ref``: a webhook, or a worker that came back too late.

    What is new is written down: the id of an attempt that lacked one, or an orphan, which is a prediction that was
    given up before it was known, or a second one for the same ref. Then the generation is woken to see to it.

    Returns:
        Whether there was something new.

    Raises:
        IntegrityError: The prediction is tied to another attempt already.
    """
    if waiting := await session.scalar(_LEARN, {"which_ref": ref, "which_prediction": prediction_id}):
        await wake(session, waiting, now=now)  # the usual case: it overtakes the create's own answer
        return True
    attempt = (await session.scalars(select(Attempt).where(Attempt.ref == ref).with_for_update())).one_or_none()
    if attempt is None or attempt.prediction_id == prediction_id:
        return False
    if attempt.prediction_id is None:
        values: dict[str, Any] = {"prediction_id": prediction_id}
        if attempt.state in ("abandoned", "refused"):
            values |= {"state": "orphan", "ended_at": None}
        await session.execute(update(_attempts).where(_attempts.c.ref == ref).values(**values))
    else:
        await _add_second(session, attempt, prediction_id, now=now)
    unended = await orphans(session, attempt.generation_id)
    await wake(session, attempt.generation_id, now=now, orphans=len(unended))
    return True


async def _add_second(session: AsyncSession, attempt: Attempt, prediction_id: str, *, now: datetime) -> None:
    second = {
        "generation_id": attempt.generation_id,
        "number": await _next_unintended(session, attempt.generation_id),
        "ref": new_ref(),
        "state": "orphan",
        "prediction_id": prediction_id,
        "reason": f"second prediction for {attempt.ref}",
        "created_at": now,
    }
    await session.execute(insert(_attempts).values(**second))


async def _next_unintended(session: AsyncSession, generation_id: str) -> int:
    """Numbers below zero are for predictions that nobody intended."""
    lowest = select(func.min(_attempts.c.number)).where(_attempts.c.generation_id == generation_id)
    return min((await session.scalar(lowest)) or 0, 0) - 1
