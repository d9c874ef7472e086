"""What a provider's webhook does: it is checked, taken once, written down, and wakes the row. It decides nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import bindparam, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.db.base import table
from mutoscope.db.upsert import built_once
from mutoscope.generations import attempts, telling
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation, InboundMessage
from mutoscope.generations.states import Phase
from mutoscope.generations.transitions import wake
from mutoscope.generations.watch import observed
from mutoscope.providers.base import Prediction, Provider, WebhookMessage
from mutoscope.replicate_protocol.webhooks import InvalidSignature

_messages, _rows = table(InboundMessage), table(Generation)
_SEEN = built_once(_messages, lambda made: made.on_conflict_do_nothing().returning(_messages.c.message_id))
# Late news of a prediction that is no longer waited for shows nothing.
_WAITING = (
    _rows.c.id == bindparam("which"),
    _rows.c.prediction_id == bindparam("waited_for"),
    _rows.c.phase == Phase.AWAIT,
)
_SHOW = cast("Any", update(_rows).where(*_WAITING).returning(_rows.c.account_id, _rows.c.webhook))


async def receive(machine: Machine, provider: str, *, ref: str | None, headers: Mapping[str, str], body: bytes) -> None:
    """Take one webhook. Lost, doubled, late, early and reordered ones all lead to the same end.

    Raises:
        InvalidSignature: It is forged, too old, or signed with a secret we do not know.
        InvalidRequest: It is signed, but is not a prediction.
    """
    now = machine.clock.now()
    message = await _read(machine.providers[provider], headers, body, now=now)
    try:
        async with machine.commit("webhook") as session:
            woken = await _take(machine, session, provider, ref=ref, message=message)
    except IntegrityError:
        return  # the prediction was tied to another attempt in the meantime, and that one is awake
    if woken:
        machine.bell.ring()


async def _read(provider: Provider, headers: Mapping[str, str], body: bytes, *, now: datetime) -> WebhookMessage:
    """Believe nobody whose signature does not match, but ask, once in a while, whether the secret was changed."""
    try:
        return provider.read_webhook(headers, body, now=now)
    except InvalidSignature:
        if not await provider.renew_webhook_secret(now=now):
            raise
    return provider.read_webhook(headers, body, now=now)


async def _take(
    machine: Machine, session: AsyncSession, provider: str, *, ref: str | None, message: WebhookMessage
) -> bool:
    now, prediction = machine.clock.now(), message.prediction
    seen = {"provider": provider, "message_id": message.message_id, "received_at": now}
    if not (await session.execute(_SEEN(session), seen)).first():
        return False
    generation_id = await attempts.owner(session, prediction.id)
    if generation_id is None:
        if ref and await attempts.learn(session, ref, prediction.id, now=now):
            return True
        generation_id = await attempts.owner(session, prediction.id)  # it was bound while we waited to learn it
    if generation_id is None:
        return False
    if prediction.terminal:
        await wake(session, generation_id, now=now)
        return True
    await _show_progress(session, generation_id, prediction, now)
    return False


async def _show_progress(session: AsyncSession, generation_id: str, prediction: Prediction, now: datetime) -> None:
    """Show how far it is."""
    values = {"which": generation_id, "waited_for": prediction.id, **observed(prediction)}
    found = (await session.execute(_SHOW, values)).first()
    if found and prediction.logs:
        await telling.progressed(session, generation_id, found.account_id, found.webhook, now=now)
