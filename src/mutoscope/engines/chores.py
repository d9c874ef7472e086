"""Work that is due by the clock rather than by a generation.

Lots expire, old webhook ids are forgotten, secrets are learnt.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from sqlalchemy import delete

from mutoscope.core.clock import Clock
from mutoscope.core.errors import MutoscopeError
from mutoscope.db.base import table
from mutoscope.db.engine import Database
from mutoscope.generations.models import InboundMessage
from mutoscope.generations.streams import tapes
from mutoscope.ledger import service as ledger
from mutoscope.webhooks import deliveries

log = logging.getLogger(__name__)

EVERY_S = 30.0
# Longer than any webhook's tolerance, so that a message id is remembered as long as its signature is good.
REMEMBER_MESSAGES = timedelta(days=2)
# Longer than the last try of any webhook.
REMEMBER_DELIVERIES = timedelta(days=7)
REMEMBER_STREAMS = timedelta(hours=1)
AT_ONCE = 500
_messages = table(InboundMessage)

Chore = Callable[[], Awaitable[None]]


class Chores:
    """Runs each chore in turn, again and again. Every chore may run twice, and on several machines at once."""

    def __init__(self, chores: Sequence[Chore], *, every_s: float = EVERY_S) -> None:
        self._chores = chores
        self._every_s = every_s

    async def run(self) -> None:
        """Until cancelled; a chore that fails is done again next time."""
        while True:
            for chore in self._chores:
                try:
                    await chore()
                except MutoscopeError as error:
                    log.warning("a chore could not be done: %s", error.detail)
                except Exception:
                    # The edge of the chores: the others, and the next time, must not suffer.
                    log.exception("a chore failed unexpectedly")
            await asyncio.sleep(self._every_s)


def expire_lots(database: Database, clock: Clock) -> Chore:
    """Credits of lots that have expired leave the available balance."""

    async def chore() -> None:
        while True:
            async with database.write() as session:
                if not await ledger.expire_due(session, now=clock.now()):
                    return

    return chore


def forget_messages(database: Database, clock: Clock) -> Chore:
    """Webhook ids are remembered as long as a replay could pass."""

    async def chore() -> None:
        async with database.write() as session:
            old = clock.now() - REMEMBER_MESSAGES
            await session.execute(delete(_messages).where(_messages.c.received_at < old))

    return chore


def forget_deliveries(database: Database, clock: Clock) -> Chore:
    """Webhooks that were delivered or given up are kept for a week, to be looked at."""

    async def chore() -> None:
        async with database.write() as session:
            await deliveries.forget(session, before=clock.now() - REMEMBER_DELIVERIES)

    return chore


def forget_streams(database: Database, clock: Clock) -> Chore:
    """What was streamed is kept for readers that come back; the output itself stays."""

    async def chore() -> None:
        while True:
            async with database.write() as session:
                if await tapes.forget(session, before=clock.now() - REMEMBER_STREAMS, limit=AT_ONCE) < AT_ONCE:
                    return

    return chore
