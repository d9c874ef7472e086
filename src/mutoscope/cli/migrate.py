"""``mutoscope migrate``: bring the database to the schema of this version."""

import asyncio

import typer

from mutoscope.cli.output import say
from mutoscope.cli.setup import settings_of
from mutoscope.core.settings import Settings
from mutoscope.db import Database
from mutoscope.db import migrate as schema


def migrate(ctx: typer.Context) -> None:
    """Create or upgrade the database's schema. Safe to run twice, and from several machines at once."""
    asyncio.run(_migrate(settings_of(ctx)))


async def _migrate(settings: Settings) -> None:
    database = Database(settings.database)
    try:
        before = await schema.current(database)
        await schema.upgrade(settings.database)
        after = await schema.current(database)
    finally:
        await database.aclose()
    say(f"The schema is at {after} already." if before == after else f"The schema went from {before} to {after}.")
