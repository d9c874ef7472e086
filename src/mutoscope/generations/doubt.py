"""The step ``doubt``: a create's answer was lost, so look for the prediction before making another.

It is found by a webhook that carries the attempt's ref (which writes the id on the attempt and wakes the row), or in
the provider's list of recent predictions. Only when neither has brought it for the whole window is the attempt given
up.
"""

from contextlib import suppress
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from mutoscope.core.canonical import sha256_of
from mutoscope.generations import attempts
from mutoscope.generations.failures import Failure
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Attempt, Generation
from mutoscope.generations.states import Phase
from mutoscope.generations.submit import CANCELED, bind
from mutoscope.generations.transitions import move
from mutoscope.providers.base import Prediction, PredictionMissing, ProviderError
from mutoscope.replicate_protocol.references import parse_reference

CLOCK_SKEW = timedelta(seconds=30)


async def resolve(machine: Machine, row: Generation) -> Generation:
    """Find the lost prediction, wait a little longer, or give it up."""
    async with machine.database.read() as session:
        attempt = await attempts.current(session, row)
    now = machine.clock.now()
    doubted_s = (now - (attempt.doubted_at or now)).total_seconds()
    try:
        found = await _find(machine, row, attempt)
    except ProviderError as error:
        # Once Cancel-After and the grace have passed, nothing can be running or billed any more.
        if doubted_s < machine.settings(row).run_timeout_s + machine.policy.unreachable_grace.total_seconds():
            raise
        return await machine.fail(row, Failure("provider_unreachable", error.detail))
    if found:
        return await bind(machine, row, attempt.ref, found)
    if doubted_s < machine.policy.doubt_window.total_seconds():
        again = now + timedelta(seconds=min(max(doubted_s, 0.5), 30))
        return await machine.stay(row, "doubt_wait", due=again)
    async with machine.commit("abandon") as session:
        if not await attempts.give_up(session, row, "abandoned", known=attempt.prediction_id):
            return await move(session, row, Phase.DOUBT, now=now, due=now)  # a webhook was quicker than the list
        if row.cancel_requested_at:
            return await machine.decide_failure(session, row, CANCELED)
        return await move(session, row, Phase.SUBMIT, now=now, due=now)


async def _find(machine: Machine, row: Generation, attempt: Attempt) -> Prediction | None:
    provider = machine.provider(row)
    if attempt.prediction_id:
        with suppress(PredictionMissing):
            return await provider.get(attempt.prediction_id)
        return None
    candidates = [
        prediction
        async for prediction in provider.recent(attempt.created_at - CLOCK_SKEW)
        if is_match(prediction, row, attempt)
    ]
    async with machine.database.read() as session:
        taken = await attempts.known_predictions(session, [c.id for c in candidates])
    free = [c for c in candidates if c.id not in taken]
    # The oldest: of several that match, it is the one that has come furthest.
    return free[-1] if free else None


def is_match(prediction: Prediction, row: Generation, attempt: Attempt) -> bool:
    """Whether a listed prediction is the one that was asked for: by its webhook's ref, else by model and input sent."""
    if prediction.webhook:
        refs = parse_qs(urlsplit(prediction.webhook).query).get("ref", [])
        if refs:
            return refs == [attempt.ref]
    target = parse_reference(row.reference)
    match target.kind:
        case "official":
            same_model = prediction.model == target.model
        case "deployment":
            same_model = prediction.deployment in (None, target.model)
        case "version":
            same_model = prediction.version == target.version
    return same_model and sha256_of(prediction.input) == (attempt.sent_sha256 or row.input_sha256)
