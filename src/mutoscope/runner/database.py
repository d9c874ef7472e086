"""The SQLite file of one runner: what is in it, and how a file of an earlier release is brought up to date.

Calls block for tens of microseconds (WAL, no fsync per commit: a killed process loses nothing, a power cut may), so
they are made on the event loop's own thread, and each is one transaction.
"""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from mutoscope.core.errors import ConfigurationError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL DEFAULT 'prediction',
  status TEXT NOT NULL,
  created_at REAL NOT NULL,
  completed_at REAL,
  removed INTEGER NOT NULL DEFAULT 0,
  owes_webhook INTEGER NOT NULL DEFAULT 0,
  record TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS predictions_unfinished ON predictions (seq) WHERE completed_at IS NULL;
CREATE INDEX IF NOT EXISTS predictions_owing ON predictions (seq) WHERE owes_webhook;
CREATE INDEX IF NOT EXISTS predictions_kept ON predictions (completed_at) WHERE NOT removed;
CREATE INDEX IF NOT EXISTS predictions_created ON predictions (created_at);
CREATE INDEX IF NOT EXISTS predictions_trainings ON predictions (seq) WHERE kind = 'training';
CREATE TABLE IF NOT EXISTS uploads (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, expires_at REAL NOT NULL, document TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS models (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS versions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, document TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS deployments (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL
);
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Open the file, which nobody else can open meanwhile.

    Raises:
        ConfigurationError: Another runner has it open, or it cannot be used.
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=1)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _add_kind(connection)
        connection.executescript(_SCHEMA)
    except sqlite3.Error as error:
        connection.close()
        raise ConfigurationError(f"{path} cannot be used, perhaps by another runner: {error}.") from error
    return connection


def _add_kind(connection: sqlite3.Connection) -> None:
    """A file from before there were trainings has predictions only, and nothing that says so."""
    columns = {str(row[1]) for row in connection.execute("PRAGMA table_info(predictions)")}
    if columns and "kind" not in columns:
        connection.execute("ALTER TABLE predictions ADD COLUMN kind TEXT NOT NULL DEFAULT 'prediction'")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None, None, None]:
    """All that is done in the block is kept, or nothing."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
