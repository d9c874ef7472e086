"""A state directory of an earlier release is used on."""

import sqlite3
from pathlib import Path

from tests.runner.harness import running

BEFORE_TRAININGS = """
CREATE TABLE predictions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL, created_at REAL NOT NULL,
  completed_at REAL, removed INTEGER NOT NULL DEFAULT 0, owes_webhook INTEGER NOT NULL DEFAULT 0, record TEXT NOT NULL
);
INSERT INTO predictions (id, status, created_at, completed_at, record) VALUES ('old', 'succeeded', 4e9, 4e9, '{
  "id": "old", "folder": "f", "model": "mutoscope/echo", "version": "hidden", "runs": "v", "input": {},
  "created_at": "2096-10-02T07:06:40Z", "completed_at": "2096-10-02T07:06:40Z", "status": "succeeded", "output": "kept"
}');
"""


async def test_predictions_from_before_there_were_trainings_are_kept(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "runner.db")
    connection.executescript(BEFORE_TRAININGS)
    connection.close()
    async with running(tmp_path) as runner:
        assert (await runner.get("old"))["output"] == "kept"
        assert [one["id"] for one in (await runner.http.get("/v1/predictions")).json()["results"]] == ["old"]
        assert (await runner.http.get("/v1/trainings")).json()["results"] == []
        assert (await runner.run())["status"] == "succeeded"
