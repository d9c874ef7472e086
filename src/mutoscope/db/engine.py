"""Connections and transactions. One rule: a transaction is opened and committed inside a service, never by a framework.

SQLite has one writer at a time. Writers of this process queue on a lock of our own, which is fair and quick; other
processes are waited for by SQLite's busy timeout.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from mutoscope.core.errors import ConfigurationError, Unavailable

BUSY_TIMEOUT_S = 30
POOL_TIMEOUT_S = 10
COMMAND_TIMEOUT_S = 60
# Somebody else holds the file, or its disk does not play along. All other errors of SQLite are faults of ours.
SQLITE_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }
)
# The file itself is wrong, or has become so: no waiting mends that.
SQLITE_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def normalize_url(url: str) -> URL:
    """Accept the URLs people have (``postgres://``, ``postgresql://``, ``sqlite:///file``) and name our drivers.

    Raises:
        ConfigurationError: Another database, or no URL at all.
    """
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    except Exception as error:
        raise ConfigurationError("DATABASE_URL cannot be read; use sqlite:///path/file.db or postgresql://…") from error
    match parsed.get_backend_name():
        case "sqlite":
            return parsed.set(drivername="sqlite+aiosqlite")
        case "postgresql":
            return parsed.set(drivername="postgresql+asyncpg")
        case other:
            raise ConfigurationError(f"DATABASE_URL names {other!r}; use sqlite or postgresql")


class Database:
    """A database and its transactions.

    Args:
        url: ``sqlite:///file.db`` or ``postgresql://user@host/name``.
        pool_size: Connections kept open to PostgreSQL.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = normalize_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _create_engine(self.url, pool_size)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        # On PostgreSQL a transaction would add two journeys to a read, and at READ COMMITTED no consistency.
        how = {"mutoscope_read": True} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._reading = self.engine.execution_options(**how)
        self._writer: asyncio.Lock | None = asyncio.Lock() if self.is_sqlite else None

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            Unavailable: The database cannot be reached. Whether a commit under way took effect is then unknown.
        """
        async with AsyncExitStack() as stack:
            if self._writer:
                await stack.enter_async_context(self._writer)
            with _unavailable():
                async with self._sessions.begin() as session:
                    yield session

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """Reads that take no write lock: on SQLite one view of everything, on PostgreSQL the newest at each statement.

        Raises:
            Unavailable: The database cannot be reached.
        """
        with _unavailable():
            async with self._sessions(bind=self._reading) as session:
                yield session

    async def aclose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


@contextmanager
def _unavailable() -> Generator[None]:
    """Turn "the database is out of reach, or gave up" into our own error, and nothing else."""
    try:
        yield
    except Exception as error:
        if _sqlite_kind(error) in SQLITE_DAMAGE:
            raise Unavailable(
                "The SQLite file is damaged or no database at all. "
                "Check the path in DATABASE_URL or MUTOSCOPE_DATA_DIR, or restore a backup."
            ) from error
        if _is_outage(error):
            raise Unavailable(
                "The database is out of reach or too busy; nothing was accepted. Try again shortly."
            ) from error
        raise


def _is_outage(error: Exception) -> bool:
    """Whether trying again later can help: connections, time-outs, deadlocks, full disks; but no fault of ours."""
    if (kind := _sqlite_kind(error)) is not None:
        return kind in SQLITE_OUTAGES
    if isinstance(error, DBAPIError):
        return not isinstance(error, IntegrityError | DataError | ProgrammingError | NotSupportedError)
    # While connecting, asyncpg's own errors come through as they are.
    return isinstance(error, PoolTimeout | OSError) or type(error).__module__.startswith("asyncpg.")


def _sqlite_kind(error: Exception) -> int | None:
    """The kind of an error of SQLite: the lower byte of its code; the rest says more of it."""
    if not isinstance(error, DBAPIError) or not isinstance(error.orig, sqlite3.Error):
        return None
    code: int = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def _create_engine(url: URL, pool_size: int) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        if url.database and url.database != ":memory:":
            _make_folder(Path(url.database).parent)
        engine = create_async_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, pool_timeout=POOL_TIMEOUT_S)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,  # connections beyond the pool would be opened and thrown away again and again
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=False,
        connect_args={"command_timeout": COMMAND_TIMEOUT_S, "server_settings": {"application_name": "mutoscope"}},
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The database's folder {folder} cannot be made: {error.strerror}. "
            "Check MUTOSCOPE_DATA_DIR, or DATABASE_URL if it is set."
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_S * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A read that turns into a write half-way cannot wait for the lock, so writers take it at once.
    reading = connection.get_execution_options().get("mutoscope_read")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
