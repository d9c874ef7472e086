"""The floor of ``parked``: a process that listens on PostgreSQL, and asks it once a second for due rows, as sweeps do.

``python -m bench.floors.parked DATABASE_URL``
"""

import asyncio
import signal
import sys
from contextlib import suppress
from typing import Any, cast

import asyncpg
import uvicorn

from bench.processes import announce

SWEEP_S = 1
DUE = "SELECT id FROM generations WHERE due_at <= now() AND lease_until IS NULL ORDER BY due_at LIMIT 32"


async def _listen(dsn: str) -> None:
    connection: Any = await cast("Any", asyncpg).connect(dsn)
    stop = asyncio.Event()
    await connection.add_listener("floor", _heard)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    announce({"url": dsn})
    while not stop.is_set():
        await connection.fetch(DUE)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), SWEEP_S)
    await connection.close()


def _heard(*_: object) -> None:
    """Nobody rings: parked means that nothing happens."""


if __name__ == "__main__":
    loops = uvicorn.Config("", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(_listen(sys.argv[1].replace("+asyncpg", "")))
