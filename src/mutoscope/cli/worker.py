"""``mutoscope worker``: the engine without the API, as many as you like on one PostgreSQL database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

import typer

from mutoscope.bootstrap import Runtime, open_runtime, running
from mutoscope.cli.output import note, say
from mutoscope.cli.setup import prepare, settings_of, warn_of_unknown_variables
from mutoscope.core import loop
from mutoscope.core.errors import ConfigurationError, PartEnded
from mutoscope.core.settings import Settings
from mutoscope.core.stopping import ended_before, stop_signals

Connect = Annotated[bool, typer.Option("--connect", help="Make Inngest's steps over a connection of our own.")]


def worker(ctx: typer.Context, connect: Connect = False) -> None:
    """Move generations, until Ctrl-C or SIGTERM. What is under way is finished or left to another worker."""
    settings = settings_of(ctx)
    warn_of_unknown_variables()
    loop.run(_work(settings, connect=connect))


async def _work(settings: Settings, *, connect: bool) -> None:
    await prepare(settings)
    async with open_runtime(settings) as runtime:
        with stop_signals() as asked:
            async with running(runtime) as engine, _connected(runtime, connect=connect) as connection:
                say("Mutoscope works")
                if await ended_before(asked, engine, *connection):
                    raise PartEnded("The engine ended by itself; see the log above.")
                note("Stopping; what is under way is finished first.")


@asynccontextmanager
async def _connected(runtime: Runtime, *, connect: bool) -> AsyncGenerator[list[asyncio.Task[None]]]:
    """The connection's task, if the engine makes its steps over one."""
    if runtime.drive.connect is None:
        if connect:
            raise ConfigurationError(
                "--connect is for engine.kind = 'inngest'; the embedded engine needs no connection."
            )
        yield []
        return
    if not connect:
        raise ConfigurationError("With engine.kind = 'inngest' a worker makes steps over a connection: add --connect.")
    task = asyncio.create_task(runtime.drive.connect())
    try:
        yield [task]
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
