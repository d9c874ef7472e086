"""Keeps predictions, uploads and owed webhooks in one SQLite file, so that a killed runner comes back with them.

Calls block for tens of microseconds (WAL, no fsync per commit: a killed process loses nothing, a power cut may), so
they are made on the event loop's own thread, and each is one transaction.
"""

import sqlite3
from datetime import datetime
from pathlib import Path

from mutoscope.core.errors import ConfigurationError
from mutoscope.runner.records import Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
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
CREATE TABLE IF NOT EXISTS uploads (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, expires_at REAL NOT NULL, document TEXT NOT NULL
);
"""


class Store:
    """The SQLite file of one runner, which nobody else can open meanwhile.

    Raises:
        ConfigurationError: Another runner has it open, or it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=1, isolation_level=None)
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._db.close()
            raise ConfigurationError(f"{path} cannot be used, perhaps by another runner: {error}.") from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def insert(self, record: Record) -> None:
        """Keep a new prediction."""
        self._db.execute(
            "INSERT INTO predictions (id, status, created_at, record) VALUES (?, ?, ?, ?)",
            (record.id, record.status, record.created_at.timestamp(), record.model_dump_json()),
        )

    def finish(self, record: Record, *, owes_webhook: bool) -> None:
        """Keep how a prediction ended, and that its terminal webhook is still to be sent."""
        ended = record.completed_at.timestamp() if record.completed_at else None
        self._db.execute(
            "UPDATE predictions SET status = ?, completed_at = ?, owes_webhook = ?, record = ? WHERE id = ?",
            (record.status, ended, owes_webhook, record.model_dump_json(), record.id),
        )

    def settle_webhook(self, prediction_id: str) -> None:
        """The terminal webhook was delivered or given up."""
        self._db.execute("UPDATE predictions SET owes_webhook = 0 WHERE id = ?", (prediction_id,))

    def remove_data(self, record: Record) -> None:
        """Keep a prediction whose data has been taken away."""
        self._db.execute(
            "UPDATE predictions SET removed = 1, record = ? WHERE id = ?", (record.model_dump_json(), record.id)
        )

    def get(self, prediction_id: str) -> Record | None:
        """One prediction as it was last kept."""
        found = self._records("WHERE id = ?", prediction_id)
        return found[0] if found else None

    def unfinished(self) -> list[Record]:
        """Predictions that an earlier process left behind, oldest first."""
        return self._records("WHERE completed_at IS NULL ORDER BY seq")

    def owing(self) -> list[Record]:
        """Predictions whose terminal webhook an earlier process left unsent, oldest first."""
        return self._records("WHERE owes_webhook ORDER BY seq")

    def expired(self, before: float, limit: int) -> list[Record]:
        """Predictions that ended before this time and still have their data."""
        return self._records("WHERE NOT removed AND completed_at < ? ORDER BY completed_at LIMIT ?", before, limit)

    def page(
        self, *, before_seq: int | None, after: datetime | None, before: datetime | None, limit: int
    ) -> tuple[list[Record], int | None]:
        """The newest predictions first, and the position of the last one if there are more."""
        rows = self._db.execute(
            "SELECT seq, record FROM predictions WHERE seq < ? AND created_at >= ? AND created_at < ? "
            "ORDER BY seq DESC LIMIT ?",
            (
                2**62 if before_seq is None else before_seq,
                after.timestamp() if after else 0.0,
                before.timestamp() if before else 1e18,
                limit + 1,
            ),
        ).fetchall()
        records = [Record.model_validate_json(row[1]) for row in rows[:limit]]
        return records, rows[limit - 1][0] if len(rows) > limit else None

    def counts(self) -> dict[str, int]:
        """How many kept predictions are in each status; those that run count as ``starting``."""
        rows = self._db.execute("SELECT status, count(*) FROM predictions GROUP BY status")
        return {str(status): int(count) for status, count in rows}

    def put_upload(self, upload_id: str, expires_at: float, document: str) -> None:
        """Keep what is known of an uploaded file."""
        self._db.execute(
            "INSERT INTO uploads (id, expires_at, document) VALUES (?, ?, ?)", (upload_id, expires_at, document)
        )

    def upload(self, upload_id: str) -> str | None:
        """What is known of an uploaded file, as it was put."""
        row = self._db.execute("SELECT document FROM uploads WHERE id = ?", (upload_id,)).fetchone()
        return str(row[0]) if row else None

    def uploads(self, limit: int) -> list[str]:
        """The newest uploads first."""
        rows = self._db.execute("SELECT document FROM uploads ORDER BY seq DESC LIMIT ?", (limit,))
        return [str(row[0]) for row in rows]

    def expired_uploads(self, before: float, limit: int) -> list[str]:
        """Ids of uploads whose time is over."""
        rows = self._db.execute("SELECT id FROM uploads WHERE expires_at < ? LIMIT ?", (before, limit))
        return [str(row[0]) for row in rows]

    def delete_upload(self, upload_id: str) -> bool:
        """Forget an upload; whether there was one."""
        return self._db.execute("DELETE FROM uploads WHERE id = ?", (upload_id,)).rowcount > 0

    def _records(self, where: str, *values: object) -> list[Record]:
        rows = self._db.execute(f"SELECT record FROM predictions {where}", values)  # noqa: S608 - only our own text
        return [Record.model_validate_json(row[0]) for row in rows]
