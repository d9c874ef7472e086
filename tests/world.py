"""A whole Mutoscope for a test.

A real runner in its own process, a real database, the service, and helpers to look at it.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from mutoscope.api.app import build_app
from mutoscope.api.serving import listen, serving, url_of
from mutoscope.bootstrap import Runtime, open_runtime, running
from mutoscope.core.findings import Finding
from mutoscope.core.settings import Settings
from mutoscope.db import Database
from mutoscope.events import audit as events_audit
from mutoscope.generations import audit as generations_audit
from mutoscope.generations.models import Generation
from mutoscope.generations.service import NewGeneration
from mutoscope.ledger import audit as ledger_audit
from mutoscope.ledger import service as ledger

CREDITS = "image_generation"
PRICE = 3


@dataclass(frozen=True)
class RunnerProcess:
    """A runner on loopback, and what tests do to it."""

    url: str
    secret: str
    process: subprocess.Popen[str] | None = None

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def plan(self, *rules: dict[str, Any]) -> None:
        """Replace the fault plan."""
        httpx.put(f"{self.url}/_runner/faults", json={"rules": list(rules)}, headers=AUTH).raise_for_status()

    def stats(self) -> dict[str, Any]:
        return httpx.get(f"{self.url}/_runner/stats", headers=AUTH).raise_for_status().json()

    def predictions(self, text: str) -> list[dict[str, Any]]:
        """The predictions whose input says ``text``: what would be paid for."""
        found: list[dict[str, Any]] = []
        url: str | None = f"{self.url}/v1/predictions"
        while url:
            page = httpx.get(url, headers=AUTH).raise_for_status().json()
            found += [p for p in page["results"] if text in json.dumps(p["input"])]
            url = page["next"]
        return found


AUTH = {"Authorization": "Bearer test"}


@contextmanager
def runner_process(state: Path, *arguments: str) -> Generator[RunnerProcess]:
    """``python -m mutoscope.runner`` until the end of the block."""
    command = [sys.executable, "-m", "mutoscope.runner", "--state", str(state), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            ready = json.loads(process.stdout.readline())
            yield RunnerProcess(ready["url"], ready["webhook_secret"], process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def echo(**price: Any) -> dict[str, Any]:
    """A catalog entry for the runner's test model."""
    return {"reference": "mutoscope/echo", "price": {"per_run": PRICE}, "max_attempts": 3, **price}


def settings_for(database_url: str, directory: Path, runner: RunnerProcess, **overrides: Any) -> Settings:
    """Settings as a developer would write them, but quick: short leases, short doubt."""
    values: dict[str, Any] = {
        "data_dir": directory,
        "database_url": database_url,
        "replicate_base_url": runner.url,
        "replicate_api_token": "test",
        "replicate_webhook_secret": runner.secret,
        "doubt_window_s": 3,
        "engine": {"lease_s": 3, "sweep_s": 0.2, "shutdown_s": 5},
        "models": {"echo": echo()},
    }
    return Settings.model_validate(values | overrides)


def driven_by(inngest_url: str | None, settings: Settings) -> Settings:
    """The same settings with Inngest at an address as the engine, or as they are for the embedded one."""
    if inngest_url is None:
        return settings
    engine = settings.engine.model_copy(update={"kind": "inngest", "lost_after_s": settings.engine.lease_s + 1})
    return settings.model_copy(update={"engine": engine, "inngest_dev": True, "inngest_base_url": inngest_url})


@dataclass(frozen=True)
class World:
    """The service in this process, with its engine running."""

    runtime: Runtime
    runner: RunnerProcess
    account_id: str

    async def make(self, text: str, *, model: str = "echo", key: str | None = None, **inputs: Any) -> Generation:
        """Accept a generation of the test model that gives a file back."""
        values = {"text": text, "output": "file", **inputs}
        new = NewGeneration(model, values, idempotency_key=key)
        return await self.runtime.generations.create(self.account_id, new)

    async def finish(self, row: Generation, timeout_s: float = 30) -> Generation:
        """The generation once it has ended; fails when it does not."""
        ended = await self.runtime.generations.wait(self.account_id, row.id, timeout_s=timeout_s)
        assert ended.phase == "done", f"{ended.id} is still in phase {ended.phase}: {ended.failure_detail}"
        return ended

    async def run(self, text: str, **inputs: Any) -> Generation:
        return await self.finish(await self.make(text, **inputs))

    async def balance(self) -> tuple[int, int, int]:
        """Available, held and spent credits."""
        async with self.runtime.database.read() as session:
            found = [b for b in await ledger.balances(session, self.account_id) if b.credit_type == CREDITS]
        return (found[0].available, found[0].held, found[0].spent) if found else (0, 0, 0)

    async def audit(self) -> list[Finding]:
        """Everything that is wrong anywhere."""
        async with self.runtime.database.read() as session:
            found = await ledger_audit.findings(session) + await events_audit.findings(session)
        return found + await generations_audit.findings(self.runtime.database, self.runtime.store)


async def grant(runtime: Runtime, account_id: str, amount: int, external_id: str = "first") -> None:
    async with runtime.database.write() as session:
        await ledger.grant(
            session,
            account_id=account_id,
            credit_type=CREDITS,
            amount=amount,
            source="purchase",
            external_id=f"{external_id} of {account_id}",  # a payment belongs to one account
            now=runtime.clock.now(),
        )


@asynccontextmanager
async def world(
    settings: Settings, runner: RunnerProcess, *, credits: int = 1000, webhooks: bool = False
) -> AsyncGenerator[World]:
    """A service with one account that has ``credits``. At the end the engine is stopped, as a deploy would.

    With ``webhooks`` it listens on loopback and tells the runner so; without, it polls.
    """
    async with AsyncExitStack() as stack:
        listener = listen("127.0.0.1", 0)
        stack.callback(listener.close)
        if webhooks:
            settings = settings.model_copy(update={"public_url": url_of(listener)})
        runtime = await stack.enter_async_context(open_runtime(settings, base_url=url_of(listener)))
        account = await runtime.accounts.create("user-1")
        await grant(runtime, account.id, credits)
        if webhooks or settings.engine.kind == "inngest":  # whose steps come over HTTP
            await stack.enter_async_context(serving(build_app(runtime, run_engine=True), listener))
        else:
            await stack.enter_async_context(running(runtime))
        yield World(runtime, runner, account.id)


async def until(condition: Any, timeout_s: float = 20) -> Any:
    """Wait until an async condition gives something true."""
    async with asyncio.timeout(timeout_s):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
        return found


async def waits_for_lock(database: Database) -> bool:
    """Whether a transaction waits for another's lock. PostgreSQL only: SQLite has but one writer."""
    waiting = text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    async with database.read() as session:
        return (await session.execute(waiting)).first() is not None
