"""What a provider's webhook does: it is checked, taken once, written down, and wakes the row. It decides nothing."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.db.base import table
from mutoscope.db.upsert import upsert
from mutoscope.generations import attempts, telling
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Attempt, Generation, InboundMessage
from mutoscope.generations.states import Phase
from mutoscope.generations.transitions import wake
from mutoscope.generations.watch import observed
from mutoscope.providers.base import Prediction, WebhookMessage

_messages, _rows = table(InboundMessage), table(Generation)


async def receive(machine: Machine, provider: str, *, ref: str | None, headers: Mapping[str, str], body: bytes) -> None:
    """Take one webhook. Lost, doubled, late, early and reordered ones all lead to the same end.

    Raises:
        InvalidSignature: It is forged, too old, or signed with a secret we do not know.
        InvalidRequest: It is signed, but is not a prediction.
    """
    now = machine.clock.now()
    message = machine.providers[provider].read_webhook(headers, body, now=now)
    try:
        async with machine.commit("webhook") as session:
            woken = await _take(machine, session, provider, ref=ref, message=message)
    except IntegrityError:
        return  # the prediction was tied to another attempt in the meantime, and that one is awake
    if woken:
        machine.bell.ring()


async def _take(
    machine: Machine, session: AsyncSession, provider: str, *, ref: str | None, message: WebhookMessage
) -> bool:
    now, prediction = machine.clock.now(), message.prediction
    seen = upsert(session, _messages).values(provider=provider, message_id=message.message_id, received_at=now)
    if not (await session.execute(seen.on_conflict_do_nothing().returning(_messages.c.message_id))).first():
        return False
    if ref and await attempts.learn(session, ref, prediction.id, now=now):
        return True
    owner = select(Attempt.generation_id).where(Attempt.prediction_id == prediction.id)
    generation_id = await session.scalar(owner)
    if generation_id is None:
        return False
    if prediction.terminal:
        await wake(session, generation_id, now=now)
        return True
    await _show_progress(session, generation_id, prediction, now)
    return False


async def _show_progress(session: AsyncSession, generation_id: str, prediction: Prediction, now: datetime) -> None:
    """Show how far it is. Late news of a prediction that is no longer waited for shows nothing."""
    waiting = (_rows.c.id == generation_id, _rows.c.prediction_id == prediction.id, _rows.c.phase == Phase.AWAIT)
    told = (Generation.account_id, Generation.webhook)
    shown = update(Generation).where(*waiting).values(**observed(prediction)).returning(*told)
    found = (await session.execute(shown.execution_options(synchronize_session=False))).first()
    if found and prediction.logs:
        await telling.progressed(session, generation_id, found.account_id, found.webhook, now=now)
