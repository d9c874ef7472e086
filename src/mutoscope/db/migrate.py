"""Bring a database to the newest schema, or say how far it is behind."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from mutoscope.db.engine import Database


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The newest revision this code knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None, "the package ships at least one migration"  # noqa: S101 - a broken build, not bad input
    return revision


async def upgrade(url: str, *, revision: str = "head") -> None:
    """Create or upgrade the schema. Safe to run from several processes at once.

    Raises:
        Unavailable: The database cannot be reached.
    """
    database = Database(url)
    try:
        async with database.write() as session:
            connection = await session.connection()
            await connection.run_sync(lambda sync: command.upgrade(_config(sync), revision))
    finally:
        await database.aclose()


async def current(database: Database) -> str | None:
    """The revision the database is at, or ``None`` for an empty one."""
    async with database.read() as session:
        connection = await session.connection()
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


def upgrade_sync(url: str) -> None:
    """``upgrade`` for callers without an event loop."""
    asyncio.run(upgrade(url))
