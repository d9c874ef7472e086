"""What a benchmark runs in: a database that flushes to disk, a runner, and accounts with credits and keys."""

import asyncio
import os
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.servers.postgres import postgres_server

from bench.processes import Process, children, cpu_s, ended_children_cpu_s, process
from mutoscope.accounts.service import Accounts
from mutoscope.core.clock import SystemClock
from mutoscope.db import Database, migrate
from mutoscope.ledger import service as ledger

DatabaseKind = Literal["sqlite", "postgres"]
CREDITS_EACH = 10**9
_AT_ONCE = 10
# A benchmark is about the work, not about the limits that an operator sets.
_NO_LIMITS = {
    "max_in_flight": 100_000,
    "max_in_flight_per_account": 100_000,
    "creates_per_minute": 6_000_000,
    "burst": 100_000,
}


@dataclass(frozen=True)
class World:
    """The parts that are not measured themselves.

    Attributes:
        directory: For files; removed at the end.
        database_url: Of the service's database, migrated.
        floor_url: Of another, empty database on the same server (PostgreSQL) or disk (SQLite).
        server_pid: Of PostgreSQL's first process, if it is PostgreSQL.
        runner: The model server.
    """

    directory: Path
    database_url: str
    floor_url: str
    server_pid: int | None
    runner: Process

    def settings(self) -> dict[str, Any]:
        """The service's settings."""
        return {
            "data_dir": str(self.directory / "data"),
            "database_url": self.database_url,
            "replicate_base_url": self.runner.url,
            "replicate_api_token": "bench",
            "replicate_webhook_secret": self.runner.ready["webhook_secret"],
            "models": {"echo": {"reference": "mutoscope/echo", "price": {"per_run": 3}}},
            "admission": _NO_LIMITS,
        }

    def database_cpu_s(self) -> float:
        """Processor time of all PostgreSQL's processes, in seconds; SQLite's is the service's own."""
        if self.server_pid is None:
            return 0.0
        return cpu_s(self.server_pid, *children(self.server_pid)) + ended_children_cpu_s(self.server_pid)


@contextmanager
def world(kind: DatabaseKind) -> Generator[World]:
    """Real servers for the length of the block."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutoscope-bench-")))
        server_pid = None
        if kind == "sqlite":
            urls = [f"sqlite+aiosqlite:///{directory / name}.db" for name in ("service", "floor")]
        else:
            before = set(children(os.getpid()))
            server = stack.enter_context(postgres_server(durable=True))
            server_pid = next(pid for pid in set(children(os.getpid())) - before if _is_postgres(pid))
            urls = [asyncio.run(server.create_database()) for _ in range(2)]
        migrate.upgrade_sync(urls[0])
        runner = stack.enter_context(
            process("mutoscope.runner", "--port", "0", "--state", directory / "runner", "--log-level", "ERROR")
        )
        yield World(directory, urls[0], urls[1], server_pid, runner)


def people(database_url: str, count: int) -> list[str]:
    """Make so many accounts, each with credits and a key; returns the keys."""
    return asyncio.run(_people(database_url, count))


async def _people(database_url: str, count: int) -> list[str]:
    database, clock = Database(database_url), SystemClock()
    accounts, places = Accounts(database, clock), asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> str:
        async with places:
            account = await accounts.create(f"user-{number}")
            async with database.write() as session:
                await ledger.grant(
                    session,
                    account_id=account.id,
                    credit_type="image_generation",
                    amount=CREDITS_EACH,
                    source="purchase",
                    external_id=f"first-{number}",
                    now=clock.now(),
                )
            return (await accounts.create_key("account", account.id))[1]

    try:
        return await asyncio.gather(*(one(number) for number in range(count)))
    finally:
        await database.aclose()


def _is_postgres(pid: int) -> bool:
    return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
