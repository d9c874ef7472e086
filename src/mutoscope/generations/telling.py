"""What a generation's own webhook is told: owed in the transaction that makes it true, sent by the courier after it.

The events are Replicate's: ``start``, ``output``, ``logs`` and ``completed``. An output is shown once it is stored,
which is when the generation has ended, so ``output`` and ``completed`` are one message.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.generations.models import Generation
from mutoscope.generations.states import Status
from mutoscope.webhooks import deliveries
from mutoscope.webhooks.deliveries import Owed

Told = Mapping[str, Any] | None

KIND = "replicate"
START, PROGRESS, COMPLETED = "start", "progress", "completed"
# Late, these two would only contradict what the receiver knows already.
START_ATTEMPTS, PROGRESS_ATTEMPTS = 3, 1


async def started(session: AsyncSession, row: Generation, *, now: datetime) -> None:
    """The provider has begun with it; again after a retry, which changes nothing."""
    if wants(row.webhook, "start"):
        owed = _owed(row.id, row.account_id, row.webhook, START, START_ATTEMPTS)
        await deliveries.owe(session, owed, now=now)


async def progressed(
    session: AsyncSession, generation_id: str, account_id: str, webhook: Told, *, now: datetime
) -> None:
    """There are new logs."""
    if wants(webhook, "logs"):
        owed = _owed(generation_id, account_id, webhook, PROGRESS, PROGRESS_ATTEMPTS)
        await deliveries.owe_progress(session, owed, now=now)


async def ended(session: AsyncSession, row: Generation, *, now: datetime, max_attempts: int) -> None:
    """It is done, and paid or refunded. What was not told yet of its progress is old now."""
    if wants(row.webhook, "logs"):
        await deliveries.drop(session, _key(row.id, PROGRESS), now=now)
    delivered = row.status == Status.COMPLETED and wants(row.webhook, "output")
    if delivered or wants(row.webhook, "completed"):
        owed = _owed(row.id, row.account_id, row.webhook, COMPLETED, max_attempts)
        await deliveries.owe(session, owed, now=now)


def wants(webhook: Told, event: str) -> bool:
    """Whether there is a webhook, and it is called for this event."""
    return webhook is not None and event in webhook["events"]


def _owed(generation_id: str, account_id: str, webhook: Told, event: str, max_attempts: int) -> Owed:
    assert webhook, "only a generation with a webhook owes anything"  # noqa: S101
    key = _key(generation_id, event)
    return Owed(key, account_id, KIND, generation_id, event, webhook["url"], max_attempts)


def _key(generation_id: str, event: str) -> str:
    return f"{generation_id}:{event}"
