"""What most commands begin with: the settings, the log, and the database."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mutoscope.accounts.service import Accounts
from mutoscope.core.clock import SystemClock
from mutoscope.core.errors import ConfigurationError
from mutoscope.core.logging import configure_logging
from mutoscope.core.settings import Settings, load_settings, unknown_variables
from mutoscope.db import Database, migrate
from mutoscope.db.engine import normalize_url
from mutoscope.replicate_protocol.settings import check_settings

log = logging.getLogger(__name__)

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings_of(ctx: typer.Context, **overrides: Any) -> Settings:
    """The settings of ``--config`` and the environment, and the log as they say.

    Raises:
        ConfigurationError: With everything that is wrong with them.
    """
    settings = load_settings(ctx.obj, **overrides)
    check_settings(settings)
    configure_logging(settings.log_level, as_json=settings.log_json)
    return settings


def warn_of_unknown_variables() -> None:
    """Log each variable of the environment that looks like a setting and is none."""
    for name, meant in unknown_variables().items():
        log.warning("%s is no setting, and does nothing%s", name, f"; did you mean {meant}?" if meant else "")


async def prepare(settings: Settings, *, upgrade: bool = False) -> None:
    """Bring a SQLite database to the newest schema; PostgreSQL only with ``upgrade``, since others may be using it."""
    database = Database(settings.database)
    await database.aclose()
    if upgrade or database.is_sqlite:
        await migrate.upgrade(settings.database)


@asynccontextmanager
async def opened(settings: Settings, *, create: bool = True) -> AsyncGenerator[tuple[Database, Accounts]]:
    """The database alone, for commands that need no provider.

    Args:
        settings: All settings.
        create: Whether a SQLite database that is not there is made, or missed.

    Raises:
        ConfigurationError: Its schema is not the one of this version, or there is none.
    """
    if not create:
        _must_be_there(settings)
    await prepare(settings)
    database = Database(settings.database, pool_size=2)
    try:
        if await migrate.current(database) != migrate.head():
            raise ConfigurationError("The database's schema is not the one of this version: run `mutoscope migrate`.")
        yield database, Accounts(database, SystemClock())
    finally:
        await database.aclose()


def missing_file(settings: Settings) -> Path | None:
    """Where the SQLite database should be and is not; ``None`` if it is there, or is not SQLite."""
    url = normalize_url(settings.database)
    path = Path(url.database or "")
    return path if url.get_backend_name() == "sqlite" and not path.is_file() else None


def _must_be_there(settings: Settings) -> None:
    if (missing := missing_file(settings)) is not None:
        raise ConfigurationError(
            f"There is no database at {missing}; check DATABASE_URL, --config and the directory you are in."
        )
