"""What counts as "the database is out of reach": what trying again can help with, and no fault of ours."""

import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from mutoscope.core.errors import Unavailable
from mutoscope.db import Database
from tests.world import until

FAULTS_OF_OURS = ["SELECT * FROM no_such_table", "SELECT no_such_column FROM accounts", "SELEKT 1"]


@pytest.fixture(autouse=True)
async def driver_threads() -> AsyncIterator[None]:
    """The driver closes what it could not open in a thread of its own, which needs the test's loop until it is done."""
    before = set(threading.enumerate())
    yield
    await until(lambda: _ended(set(threading.enumerate()) - before))


@pytest.mark.parametrize("statement", FAULTS_OF_OURS)
async def test_a_fault_of_ours_is_not_an_outage(statement: str, database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.read() as session:
            await session.execute(text(statement))


async def test_a_file_that_cannot_be_opened_is_an_outage(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'mutoscope.db'}")
    (tmp_path / "mutoscope.db").mkdir()
    with pytest.raises(Unavailable):
        async with database.read() as session:
            await session.execute(text("SELECT 1"))
    await database.aclose()


async def test_a_file_that_is_no_database_is_an_outage(tmp_path: Path) -> None:
    path = tmp_path / "mutoscope.db"
    path.write_bytes(b"something else" * 100)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(Unavailable):
        async with database.read() as session:
            await session.execute(text("SELECT 1"))
    await database.aclose()


async def _ended(threads: set[threading.Thread]) -> bool:
    return not any("connection_worker" in one.name for one in threads)


async def test_a_full_disk_is_an_outage(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'mutoscope.db'}")
    async with database.write() as session:
        await session.execute(text("CREATE TABLE kept (content BLOB)"))
    await database.aclose()
    _at_each_connect(database, "PRAGMA max_page_count = 4")
    with pytest.raises(Unavailable):
        async with database.write() as session:
            await session.execute(text("INSERT INTO kept VALUES (randomblob(1000000))"))
    await database.aclose()


async def test_a_file_that_somebody_else_holds_is_an_outage(tmp_path: Path) -> None:
    path = tmp_path / "mutoscope.db"
    database = Database(f"sqlite:///{path}")
    async with database.write() as session:
        await session.execute(text("CREATE TABLE kept (content BLOB)"))
    await database.aclose()
    _at_each_connect(database, "PRAGMA busy_timeout = 50")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        async with database.write() as session:
            await session.execute(text("INSERT INTO kept VALUES (1)"))
    other.close()
    await database.aclose()


def _at_each_connect(database: Database, pragma: str) -> None:
    def say(connection: Any, _record: object) -> None:
        connection.execute(pragma)

    event.listen(database.engine.sync_engine, "connect", say)
