"""The step ``await``: look at the prediction, and act on what it has become. The polled answer is the authority."""

from datetime import datetime, timedelta
from typing import Any

from mutoscope.core.json_limits import keepable
from mutoscope.generations import attempts, failures, pacing, telling
from mutoscope.generations.failures import Failure
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation
from mutoscope.generations.orphans import adopt_or_cancel
from mutoscope.generations.states import Phase
from mutoscope.generations.submit import poll_delay_s
from mutoscope.generations.transitions import move
from mutoscope.providers.base import Prediction, PredictionMissing, ProviderError, Throttled

MAX_LOGS = 8_000
# How long a webhook may take.
TELLING_LAG = timedelta(seconds=10)
# How long a fresh prediction may be unknown to the provider's reading side.
READ_LAG = timedelta(seconds=30)
# How long after Cancel-After the provider's own end is waited for, before we cancel.
DEADLINE_SLACK = timedelta(seconds=5)


async def watch(machine: Machine, row: Generation) -> Generation:
    """Look once, and move on or come back later."""
    now = machine.clock.now()
    try:
        if row.orphans and (adopted := await adopt_or_cancel(machine, row)):
            row = adopted
        prediction = await _look(machine, row, now)
    except ProviderError as error:
        return await _not_seen(machine, row, error, now)
    machine.kill.reach("get.after_call")
    if not prediction.terminal:
        return await _still_running(machine, row, prediction, now)
    if _no_webhook_told(machine, row, prediction, now):
        machine.pace.missed(now_s=now.timestamp())
    if prediction.status == "succeeded":
        return await _succeeded(machine, row, prediction, now)
    return await _ended_badly(machine, row, prediction, now)


async def _look(machine: Machine, row: Generation, now: datetime) -> Prediction:
    assert row.prediction_id, "a row that waits knows its prediction"  # noqa: S101
    provider = machine.provider(row)
    if row.cancel_requested_at or _deadline_passed(row, now, DEADLINE_SLACK):
        await provider.cancel(row.prediction_id)
        machine.kill.reach("cancel.after_call")
    return await provider.get(row.prediction_id)


async def _not_seen(machine: Machine, row: Generation, error: ProviderError, now: datetime) -> Generation:
    match error:
        case PredictionMissing() if _bound_ago(machine, row, now) < READ_LAG:
            return await machine.stay(row, "look_later", due=now + timedelta(seconds=1))
        case PredictionMissing():
            return await machine.fail(row, Failure("provider_lost", error.detail))
        # Once Cancel-After and the grace have passed, nothing can be running or billed any more.
        case _ if _deadline_passed(row, now, machine.policy.unreachable_grace):
            return await machine.fail(row, Failure("provider_unreachable", error.detail))
        case Throttled():
            later = now + timedelta(seconds=error.retry_after_s)
            return await machine.stay(row, "look_later", due=later)
        case _:
            raise error


async def _still_running(machine: Machine, row: Generation, prediction: Prediction, now: datetime) -> Generation:
    elapsed_s = max((now - prediction.created_at).total_seconds(), 0)
    wait_s = 1.0 if row.cancel_requested_at else poll_delay_s(machine, row, elapsed_s)
    due = min(now + timedelta(seconds=wait_s), _look_by(row, now))
    seen = observed(prediction)
    async with machine.commit("look_later") as session:
        # The row first and what is told of it second, as everywhere: else two transactions wait for each other.
        moved = await move(session, row, Phase.AWAIT, now=now, due=due, **seen)
        if seen["logs"] != row.logs:
            await telling.progressed(session, row.id, row.account_id, row.webhook, now=now)
        return moved


async def _succeeded(machine: Machine, row: Generation, prediction: Prediction, now: datetime) -> Generation:
    if prediction.predict_time_s is not None:
        machine.pace.learn(row.model, prediction.predict_time_s)
    if prediction.data_removed:
        gone = Failure("output_expired", "The provider had removed the output before it could be stored.")
        return await _end_failed(machine, row, prediction, gone)
    values: dict[str, Any] = observed(prediction) | {
        "prediction_output": keepable(prediction.output),
        "store_deadline": now + timedelta(seconds=machine.settings(row).store_timeout_s),
    }
    async with machine.commit("observed") as session:
        await attempts.end(session, prediction, now=now)
        return await move(session, row, Phase.STORE, now=now, due=now, **values)


async def _ended_badly(machine: Machine, row: Generation, prediction: Prediction, now: datetime) -> Generation:
    failure = failures.of_prediction(
        prediction,
        canceled_by_user=row.cancel_requested_at is not None,
        past_deadline=_deadline_passed(row, now, -DEADLINE_SLACK),
    )
    if not failure.try_again or row.cancel_requested_at or row.retries + 1 >= machine.settings(row).max_attempts:
        return await _end_failed(machine, row, prediction, failure)
    due = now + timedelta(seconds=pacing.backoff_s(row.retries))
    values: dict[str, Any] = observed(prediction) | {
        "prediction_id": None,
        "run_deadline": None,
        "retries": row.retries + 1,
    }
    async with machine.commit("retry") as session:
        await attempts.end(session, prediction, now=now)
        return await move(session, row, Phase.SUBMIT, now=now, due=due, **values)


async def _end_failed(machine: Machine, row: Generation, prediction: Prediction, failure: Failure) -> Generation:
    async with machine.commit("fail") as session:
        await attempts.end(session, prediction, now=machine.clock.now())
        return await machine.decide_failure(session, row, failure, **observed(prediction))


def observed(prediction: Prediction) -> dict[str, Any]:
    """What a look at a prediction leaves on the row."""
    return {
        "prediction_status": prediction.status,
        "progress_percent": pacing.percent_done(prediction.logs),
        "logs": keepable((prediction.logs or "")[-MAX_LOGS:]) or None,
        "predict_time_s": prediction.predict_time_s,
        "started_at": prediction.started_at,
    }


def _no_webhook_told(machine: Machine, row: Generation, prediction: Prediction, now: datetime) -> bool:
    """Whether it ended a while ago and nothing has woken the row since it was made."""
    expected = machine.policy.webhook_url is not None and row.wakes == 0
    return expected and prediction.completed_at is not None and now - prediction.completed_at > TELLING_LAG


def _deadline(row: Generation) -> datetime | None:
    """When the prediction must have ended: by the model's limit, or by its caller's if that comes first."""
    return row.run_deadline and min(row.run_deadline, row.deadline or row.run_deadline)


def _deadline_passed(row: Generation, now: datetime, slack: timedelta) -> bool:
    deadline = _deadline(row)
    return deadline is not None and now >= deadline + slack


def _bound_ago(machine: Machine, row: Generation, now: datetime) -> timedelta:
    timeout = timedelta(seconds=machine.settings(row).run_timeout_s)
    return now - ((row.run_deadline or now) - timeout)


def _look_by(row: Generation, now: datetime) -> datetime:
    """Whatever the interval: look when the deadline passes."""
    deadline = _deadline(row)
    if deadline is None or now >= deadline + DEADLINE_SLACK:
        return now + timedelta(seconds=10)
    return deadline + DEADLINE_SLACK
