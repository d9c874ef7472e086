"""``mutoscope worker``: the engine without the API, as many as you like on one PostgreSQL database."""

import typer

from mutoscope.bootstrap import open_runtime, running
from mutoscope.cli.output import note, say
from mutoscope.cli.setup import prepare, settings_of
from mutoscope.core import loop
from mutoscope.core.settings import Settings
from mutoscope.core.stopping import stop_signals


def worker(ctx: typer.Context) -> None:
    """Move generations, until Ctrl-C or SIGTERM. What is under way is finished or left to another worker."""
    loop.run(_work(settings_of(ctx)))


async def _work(settings: Settings) -> None:
    await prepare(settings)
    async with open_runtime(settings) as runtime:
        with stop_signals() as asked:
            async with running(runtime):
                say("Mutoscope works")
                await asked.wait()
                note("Stopping; what is under way is finished first.")
