"""``mutoscope serve``: the API and, unless it is told not to, the engine."""

import asyncio
import socket
from typing import Annotated

import typer

from mutoscope.api.app import build_app
from mutoscope.api.serving import listen, serving, url_of
from mutoscope.bootstrap import Runtime, open_runtime
from mutoscope.cli.output import note, say
from mutoscope.cli.setup import Host, prepare, settings_of, warn_of_unknown_variables
from mutoscope.core import loop
from mutoscope.core.errors import PartEnded
from mutoscope.core.settings import Settings
from mutoscope.core.stopping import ended_before, stop_signals

Port = Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")]


def serve(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    migrate: Annotated[bool, typer.Option("--migrate", help="Bring a PostgreSQL database up to date first.")] = False,
    engine: Annotated[bool, typer.Option(help="Move generations too; without it workers must.")] = True,
) -> None:
    """Serve the API, until Ctrl-C or SIGTERM. What is under way is finished or left to the next start."""
    settings = settings_of(ctx)
    warn_of_unknown_variables()
    listener = listen(host, port)
    try:
        loop.run(_serve(settings, listener, upgrade=migrate, run_engine=engine))
    finally:
        listener.close()


async def _serve(settings: Settings, listener: socket.socket, *, upgrade: bool, run_engine: bool) -> None:
    await prepare(settings, upgrade=upgrade)
    url = url_of(listener)
    async with open_runtime(settings, base_url=url) as runtime:
        await _first_key(runtime)
        app = build_app(runtime, run_engine=run_engine)
        with stop_signals() as asked:
            async with serving(app, listener) as server:
                say(f"Mutoscope serves {url}")
                engine: asyncio.Task[None] | None = app.state.engine
                if await ended_before(asked, server, *([engine] if engine else [])):
                    which = "server" if server.done() else "engine"
                    raise PartEnded(f"The {which} ended by itself; see the log above.")
                note("Stopping; what is under way is finished first.")


async def _first_key(runtime: Runtime) -> None:
    """Without a key nobody could begin. In production it is not for a log to know."""
    if runtime.settings.environment == "production":
        return
    if key := await runtime.accounts.ensure_operator_key():
        say(f"Operator key, shown this once: {key}")
