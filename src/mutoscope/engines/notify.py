"""The bell between processes on PostgreSQL: LISTEN and NOTIFY.

Rings are gathered for a few milliseconds and sent as one; a lost one costs at most a sweep, because the rows are the
truth.
"""

import asyncio
import logging
from typing import Any, cast

import asyncpg

from mutoscope.generations.signals import Signals

log = logging.getLogger(__name__)

CHANNEL = "mutoscope"
WORK = "work"
GATHER_S = 0.005
RECONNECT_S = 1.0
MAX_GATHERED = 1000


class PostgresBell:
    """Rings in this process at once, and in all others through the database.

    Args:
        dsn: ``postgresql://…`` as asyncpg reads it.
        signals: The bell of this process.
    """

    def __init__(self, dsn: str, signals: Signals) -> None:
        self._dsn = dsn
        self._signals = signals
        self._gathered: set[str] = set()
        self._pending = asyncio.Event()

    def ring(self) -> None:
        """There is due work, here and elsewhere."""
        self._signals.ring()
        self._gather(WORK)

    def changed(self, generation_id: str) -> None:
        """A generation's public state has changed, here and elsewhere."""
        self._signals.changed(generation_id)
        self._gather(generation_id)

    async def run(self) -> None:
        """Listen and send until cancelled; a broken connection is made again."""
        while True:
            try:
                await self._serve()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("LISTEN/NOTIFY is down, sweeping meanwhile: %s", error)
            except Exception:
                # The edge of the bell: it must ring again, however its connection broke. asyncpg's own errors about a
                # connection that is lost in the middle of something are of many kinds.
                log.exception("LISTEN/NOTIFY broke unexpectedly, sweeping meanwhile")
            await asyncio.sleep(RECONNECT_S)

    def _gather(self, payload: str) -> None:
        if len(self._gathered) < MAX_GATHERED:
            self._gathered.add(payload)
        self._pending.set()

    async def _serve(self) -> None:
        connection: Any = await cast("Any", asyncpg).connect(self._dsn, timeout=10)  # asyncpg ships no types
        try:
            await connection.add_listener(CHANNEL, self._heard)
            self._signals.ring()  # whatever was rung while nobody listened
            while True:
                await self._pending.wait()
                await asyncio.sleep(GATHER_S)
                self._pending.clear()
                payloads, self._gathered = self._gathered, set()
                statement = "SELECT pg_notify($1, p) FROM unnest($2::text[]) AS p"
                await connection.execute(statement, CHANNEL, list(payloads), timeout=10)
        finally:
            await connection.close(timeout=5)

    def _heard(self, connection: Any, sender_pid: int, channel: str, payload: object) -> None:
        if connection.get_server_pid() == sender_pid:
            return  # our own; it has been rung already
        if payload == WORK:
            self._signals.ring()
        else:
            self._signals.changed(str(payload))
