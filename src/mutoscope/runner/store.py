"""Keeps predictions, trainings, uploads and owed webhooks, so that a killed runner comes back with them."""

import sqlite3
from datetime import datetime

from mutoscope.runner.records import Kind, Record

_NEWEST = 2**62


class Store:
    """What ran, runs and is uploaded, in the runner's database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def insert(self, record: Record) -> None:
        """Keep a new prediction or training."""
        self._db.execute(
            "INSERT INTO predictions (id, kind, status, created_at, record) VALUES (?, ?, ?, ?, ?)",
            (record.id, record.kind, record.status, record.created_at.timestamp(), record.model_dump_json()),
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
        """Predictions that ended before this time and still have their data; what trainings made is kept."""
        where = "WHERE NOT removed AND kind = 'prediction' AND completed_at < ? ORDER BY completed_at LIMIT ?"
        return self._records(where, before, limit)

    def of_version(self, version: str) -> list[Record]:
        """Predictions that this version has run."""
        return self._records("WHERE kind = 'prediction' AND json_extract(record, '$.runs') = ?", version)

    def delete(self, record: Record) -> None:
        """Forget one prediction."""
        self._db.execute("DELETE FROM predictions WHERE id = ?", (record.id,))

    def run_counts(self) -> dict[str, int]:
        """How often each model has been run."""
        rows = self._db.execute(
            "SELECT json_extract(record, '$.model'), count(*) FROM predictions WHERE kind = 'prediction' GROUP BY 1",
        )
        return {str(model): int(count) for model, count in rows}

    def page(
        self,
        kind: Kind,
        *,
        before_seq: int | None,
        limit: int,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> tuple[list[Record], int | None]:
        """The newest of a kind first, and the position of the last one if there are more."""
        rows = self._db.execute(
            "SELECT seq, record FROM predictions WHERE kind = ? AND seq < ? AND created_at >= ? AND created_at < ? "
            "ORDER BY seq DESC LIMIT ?",
            (
                kind,
                _NEWEST if before_seq is None else before_seq,
                after.timestamp() if after else 0.0,
                before.timestamp() if before else 1e18,
                limit + 1,
            ),
        ).fetchall()
        records = [Record.model_validate_json(row[1]) for row in rows[:limit]]
        return records, rows[limit - 1][0] if len(rows) > limit else None

    def counts(self) -> dict[str, int]:
        """How many kept predictions are in each status; those that run count as ``starting``."""
        rows = self._db.execute("SELECT status, count(*) FROM predictions WHERE kind = 'prediction' GROUP BY status")
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

    def uploads(self, before_seq: int | None, limit: int) -> tuple[list[str], int | None]:
        """The newest uploads first, and the position of the last one if there are more."""
        rows = self._db.execute(
            "SELECT seq, document FROM uploads WHERE seq < ? ORDER BY seq DESC LIMIT ?",
            (_NEWEST if before_seq is None else before_seq, limit + 1),
        ).fetchall()
        return [str(row[1]) for row in rows[:limit]], rows[limit - 1][0] if len(rows) > limit else None

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
