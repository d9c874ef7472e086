"""``mutoscope worker``: the engine without the API, as many as you like on one PostgreSQL database."""

import typer

from mutoscope.bootstrap import open_runtime, running
from mutoscope.cli.output import note, say
from mutoscope.cli.setup import prepare, settings_of, warn_of_unknown_variables
from mutoscope.core import loop
from mutoscope.core.errors import PartEnded
from mutoscope.core.settings import Settings
from mutoscope.core.stopping import ended_before, stop_signals


def worker(ctx: typer.Context) -> None:
    """Move generations, until Ctrl-C or SIGTERM. What is under way is finished or left to another worker."""
    settings = settings_of(ctx)
    warn_of_unknown_variables()
    loop.run(_work(settings))


async def _work(settings: Settings) -> None:
    await prepare(settings)
    async with open_runtime(settings) as runtime:
        with stop_signals() as asked:
            async with running(runtime) as engine:
                say("Mutoscope works")
                if await ended_before(asked, engine):
                    raise PartEnded("The engine ended by itself; see the log above.")
                note("Stopping; what is under way is finished first.")
