"""Transactions by hand on the raw drivers: asyncpg on a pool, or ``sqlite3`` on a thread of its own.

Both flush every commit to disk. The statements are in ``sql.py``.
"""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, cast

import asyncpg

from bench.floors import sql

POOL = 20


class Refused(Exception):
    """A statement that must change a row changed none; everything is rolled back."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a transaction."""

    statement: str
    values: tuple[Any, ...]
    must: bool = False


class Transactions(Protocol):
    """Runs transactions."""

    async def run(self, *steps: Step) -> None:
        """All of them or none. Raises ``Refused``."""
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...


class Postgres:
    """A pool of asyncpg, which prepares and caches statements itself. It ships no types."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def run(self, *steps: Step) -> None:
        """See ``Transactions.run``."""
        async with self._pool.acquire() as connection, connection.transaction():
            for step in steps:
                tag = await connection.execute(step.statement, *step.values)
                if step.must and tag.endswith(" 0"):
                    raise Refused

    async def aclose(self) -> None:
        """See ``Transactions.aclose``."""
        await self._pool.close()


class Sqlite:
    """One connection on one thread: SQLite has one writer anyway."""

    def __init__(self, path: str) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + sql.TABLES)

    async def run(self, *steps: Step) -> None:
        """See ``Transactions.run``."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._run, steps)

    async def aclose(self) -> None:
        """See ``Transactions.aclose``."""
        self._thread.shutdown()
        self._connection.close()

    def _run(self, steps: tuple[Step, ...]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for step in steps:
                # SQLite reads $1 as the name "1".
                named = {str(number): value for number, value in enumerate(step.values, 1)}
                if self._connection.execute(step.statement, named).rowcount == 0 and step.must:
                    raise Refused
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


async def open_by_hand(url: str, accounts: int) -> Transactions:
    """Transactions on fresh tables, with so many accounts that have credits."""
    opened = await _open(url)
    await opened.run(*(Step(sql.ACCOUNT, (f"user-{number}", sql.CREDITS_EACH, 0, 0)) for number in range(accounts)))
    return opened


async def _open(url: str) -> Transactions:
    if url.startswith("sqlite"):
        return Sqlite(url.partition(":///")[2])
    dsn = url.replace("+asyncpg", "")
    pool = await cast("Any", asyncpg).create_pool(dsn, min_size=POOL, max_size=POOL)
    await pool.execute(sql.TABLES)
    return Postgres(pool)
