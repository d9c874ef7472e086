"""The process that is killed.

A whole service that accepts one generation and works on it until a kill point ends it.
"""

import asyncio
import multiprocessing
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mutoscope.api.app import build_app
from mutoscope.api.serving import listen, serving, url_of
from mutoscope.bootstrap import Runtime, open_runtime, running
from mutoscope.core.settings import Settings
from mutoscope.generations.asking import NewGeneration, Webhook
from mutoscope.generations.models import Generation
from mutoscope.generations.states import Phase

DEADLINE_S = 40
KEY = "the-one"


@dataclass(frozen=True)
class Order:
    """What is asked for, and whether it is canceled once it runs."""

    text: str
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    cancel: bool = False
    webhook: str | None = None


@asynccontextmanager
async def at_work(settings: Settings) -> AsyncGenerator[Runtime]:
    """The service with its engine, and with its API at its public address if it has one, or if the engine needs it."""
    if settings.public_url is None and settings.engine.kind == "embedded":
        async with open_runtime(settings) as runtime, running(runtime):
            yield runtime
        return
    listener = listen("127.0.0.1", urlsplit(settings.public_url or "").port or 0)
    async with (
        open_runtime(settings, base_url=url_of(listener)) as runtime,
        serving(build_app(runtime, run_engine=True), listener),
    ):
        yield runtime


async def carry_out(runtime: Runtime, account_id: str, order: Order) -> Generation:
    """What a client does, and does again after a crash.

    Ask with the same key, cancel if it wants to, wait for the end.
    """
    inputs = {"text": order.text, "output": "file", **order.inputs}
    webhook = Webhook(order.webhook, ("start", "logs", "completed")) if order.webhook else None
    new = NewGeneration("echo", inputs, idempotency_key=KEY, webhook=webhook)
    row = await runtime.generations.create(account_id, new)
    if order.cancel:
        while row.phase != Phase.DONE and row.prediction_status != "processing":
            row = await runtime.generations.wait(account_id, row.id, timeout_s=0.1)
        await runtime.generations.cancel(account_id, row.id)
    return await runtime.generations.wait(account_id, row.id, timeout_s=DEADLINE_S)


def run_until_killed(settings: Settings, account_id: str, order: Order) -> int:
    """Run the service in a process of its own; returns its exit code, -9 when its kill point was passed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.victim"])
    process = context.Process(target=_main, args=(settings.model_dump(), account_id, order))
    process.start()
    process.join(DEADLINE_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError("the point was never passed")
    return process.exitcode


def _main(settings: dict[str, Any], account_id: str, order: Order) -> None:
    asyncio.run(_serve(Settings.model_validate(settings), account_id, order))


async def _serve(settings: Settings, account_id: str, order: Order) -> None:
    async with at_work(settings) as runtime:
        await carry_out(runtime, account_id, order)
        await asyncio.Event().wait()  # for what comes after the end
