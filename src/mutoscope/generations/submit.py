"""The step ``submit``.

Intent first, then the call, then the prediction's id. A lost answer becomes doubt, not a second try.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.canonical import sha256_of
from mutoscope.generations import admission, attempts, pacing, telling
from mutoscope.generations.copies import FileBusy
from mutoscope.generations.failures import Failure
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation
from mutoscope.generations.states import Phase
from mutoscope.generations.transitions import Fenced, move
from mutoscope.providers.base import (
    AnswerLost,
    CreateRefused,
    Prediction,
    PredictionRequest,
    ProviderDown,
    Throttled,
)
from mutoscope.replicate_protocol.durations import CANCEL_AFTER_MINIMUM_S
from mutoscope.uploads.service import UnknownFile

CANCELED = Failure("canceled_by_user", "You canceled this generation before it was sent to the model.")
_MADE_ALL_THE_SAME = "the provider said no, and a webhook names a prediction"
QUEUE_DEADLINE = Failure("queue_deadline", "The generation waited too long for a place and was not started.")


async def wait_in_queue(machine: Machine, row: Generation) -> Generation:
    """A queued row came due: it was canceled, or its deadline has passed. Admission moves all others."""
    if early_end := _early_end(machine, row):
        return await machine.fail(row, early_end)
    return await machine.stay(row, "look_later", due=row.queue_deadline)


async def submit(machine: Machine, row: Generation) -> Generation:
    """Ask the provider for a prediction."""
    if early_end := _early_end(machine, row):
        return await machine.fail(row, early_end)
    try:
        sent = await _to_send(machine, row)
    except (UnknownFile, CreateRefused) as error:
        return await machine.fail(row, Failure("input_file_lost", error.detail))
    except FileBusy:
        return await machine.stay(row, "look_later", due=machine.clock.now() + timedelta(seconds=1))
    except Throttled as error:  # of a file; what was tried before has ended, and is not marked again
        async with machine.commit("throttle") as session:
            return await _back_in_line(machine, session, row, error)
    return await _ask(machine, row, sent)


async def _ask(machine: Machine, row: Generation, sent: Mapping[str, Any]) -> Generation:
    ref = attempts.new_ref()
    now = machine.clock.now()
    # Small inputs are hashed once, when they are accepted; what was changed on the way is found again by its own hash.
    sent_sha256 = None if sent is row.input else sha256_of(sent)
    async with machine.commit("intent") as session:
        row = await move(session, row, Phase.SUBMITTING, now=now, due=now, attempt=row.attempt + 1)
        await attempts.intend(session, row, ref, now=now, sent_sha256=sent_sha256)
    try:
        prediction = await machine.provider(row).create(_request(machine, row, ref, sent))
    except CreateRefused as error:
        return await _not_made(machine, row, error.detail, failure=Failure(error.code, error.detail))
    except Throttled as error:
        return await _throttled(machine, row, error)
    except ProviderDown as error:
        return await _not_made(machine, row, error.detail)
    except AnswerLost as error:
        return await doubt(machine, row, error.detail)
    machine.kill.reach("create.after_call")
    try:
        bound = await bind(machine, row, ref, prediction)
    except Fenced:
        await _keep_id(machine, ref, prediction.id)  # whoever has taken over must know of it
        raise
    if bound.prediction_id != prediction.id:
        await _keep_id(machine, ref, prediction.id)  # a webhook named another one first; this one is to be ended
    return bound


async def bind(machine: Machine, row: Generation, ref: str, prediction: Prediction) -> Generation:
    """Tie the prediction to the row and wait for its end. From doubt too: a prediction that was found again.

    Attempt first, row second, as everywhere: two transactions that lock them in different orders would block each
    other.

    Raises:
        Fenced: The row was taken over.
    """
    settings = machine.settings(row)
    now = machine.clock.now()
    waited_s = max((now - prediction.created_at).total_seconds(), 0)
    # A cancel that came just before the call has woken the row already, and would otherwise wait for the first look.
    at_once = prediction.terminal or row.cancel_requested_at is not None
    first_look_s = 0 if at_once else poll_delay_s(machine, row, waited_s)
    values: dict[str, Any] = {
        "prediction_id": prediction.id,
        "prediction_status": prediction.status,
        "run_deadline": now + timedelta(seconds=settings.run_timeout_s),
        "stream_url": prediction.urls.get("stream") if row.stream else None,
    }
    try:
        async with machine.commit("bind") as session:
            if not await attempts.bind(session, ref, prediction.id):
                raise _Taken
            due = now + timedelta(seconds=first_look_s)
            moved = await move(session, row, Phase.AWAIT, now=now, due=due, **values)
            await telling.started(session, moved, now=now)
    except (IntegrityError, _Taken):
        return await doubt(machine, row, f"prediction {prediction.id} is tied to another attempt")
    machine.bell.changed(row.id)
    return moved


def poll_delay_s(machine: Machine, row: Generation, elapsed_s: float) -> float:
    """Seconds until a running prediction is looked at, if no webhook comes first."""
    webhook = machine.policy.webhook_url is not None
    return machine.pace.wait_s(row.model, elapsed_s, now_s=machine.clock.now().timestamp(), webhook=webhook)


async def died_submitting(machine: Machine, row: Generation) -> Generation:
    """A worker died between intent and the prediction's id: whether it was made is not known."""
    return await doubt(machine, row, "the worker died during the call")


async def doubt(machine: Machine, row: Generation, why: str) -> Generation:
    """The prediction may exist: look for it before anything else."""
    async with machine.commit("doubt") as session:
        return await _into_doubt(session, row, why, now=machine.clock.now())


async def _into_doubt(session: AsyncSession, row: Generation, why: str, *, now: datetime) -> Generation:
    await attempts.mark(session, row, "in_doubt", doubted_at=now, reason=why[:1000])
    return await move(session, row, Phase.DOUBT, now=now, due=now + timedelta(seconds=0.2))


class _Taken(Exception):
    pass


def _early_end(machine: Machine, row: Generation) -> Failure | None:
    if row.cancel_requested_at:
        return CANCELED
    return QUEUE_DEADLINE if machine.clock.now() >= row.queue_deadline else None


async def _to_send(machine: Machine, row: Generation) -> Mapping[str, Any]:
    run_s = machine.settings(row).run_timeout_s
    return await machine.inputs.to_send(row.account_id, row.input, machine.provider(row), run_s=run_s)


def _request(machine: Machine, row: Generation, ref: str, sent: Mapping[str, Any]) -> PredictionRequest:
    settings = machine.settings(row)
    url = machine.policy.webhook_url
    events = ("logs", "completed") if settings.progress else ("completed",)
    run_s = settings.run_timeout_s
    if row.deadline:
        left_s = math.ceil((row.deadline - machine.clock.now()).total_seconds())
        run_s = max(min(run_s, left_s), CANCEL_AFTER_MINIMUM_S)
    return PredictionRequest(
        row.reference,
        sent,
        url(row.provider, ref) if url else None,
        events,
        run_s,
        destination=row.destination,
        stream=row.stream,
    )


async def _not_made(machine: Machine, row: Generation, why: str, failure: Failure | None = None) -> Generation:
    """Surely no prediction: fail, or go back and try again a little later."""
    now = machine.clock.now()
    async with machine.commit("refuse") as session:
        if not await attempts.give_up(session, row, "refused", known=None, reason=why[:1000], ended_at=now):
            return await _into_doubt(session, row, _MADE_ALL_THE_SAME, now=now)
        if failure:
            return await machine.decide_failure(session, row, failure)
        due = now + timedelta(seconds=pacing.backoff_s(row.attempt))
        return await move(session, row, Phase.SUBMIT, now=now, due=due)


async def _throttled(machine: Machine, row: Generation, error: Throttled) -> Generation:
    """Surely no prediction: back into the queue, and nobody else asks before the provider's own clock says so."""
    now = machine.clock.now()
    async with machine.commit("throttle") as session:
        if not await attempts.give_up(session, row, "refused", known=None, reason=error.detail[:1000], ended_at=now):
            return await _into_doubt(session, row, _MADE_ALL_THE_SAME, now=now)
        return await _back_in_line(machine, session, row, error)


async def _back_in_line(machine: Machine, session: AsyncSession, row: Generation, error: Throttled) -> Generation:
    now = machine.clock.now()
    moved = await move(session, row, Phase.QUEUED, now=now, due=row.queue_deadline)
    await admission.close(session, row.provider, until=now + timedelta(seconds=error.retry_after_s))
    if error.rate:
        await admission.tell(session, row.provider, error.rate, now=now)
    return moved


async def _keep_id(machine: Machine, ref: str, prediction_id: str) -> None:
    try:
        async with machine.database.write() as session:
            await attempts.learn(session, ref, prediction_id, now=machine.clock.now())
    except IntegrityError:
        return  # it was found by another way and is tied already
