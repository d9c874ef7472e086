"""The audit misses an event that somebody removed, wherever it was."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from mutoscope.accounts.service import Accounts
from mutoscope.core.clock import ManualClock
from mutoscope.db import Database
from mutoscope.events import audit
from mutoscope.events import service as events

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def _recorded(database: Database) -> str:
    """Two accounts with three events each; the id of one, of which the audit has nothing to say."""
    accounts = Accounts(database, ManualClock(NOW))
    ann, bob, _ = [(await accounts.create(name)).id for name in ("ann", "bob", "silent")]
    for account_id in (ann, bob):
        for number in range(3):
            async with database.write() as session:
                await events.record(session, account_id, "thing.done", f"gen_{number}", data={}, now=NOW)
    async with database.read() as session:
        assert await audit.findings(session) == []
    return ann


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("DELETE FROM events WHERE account_id = :id AND number = 1", "2 events are kept, numbered from 2 to 3"),
        ("DELETE FROM events WHERE account_id = :id AND number = 2", "2 events are kept, numbered from 1 to 3"),
        ("DELETE FROM events WHERE account_id = :id AND number = 3", "2 events are kept, numbered from 1 to 2"),
        ("DELETE FROM events WHERE account_id = :id", "0 events are kept"),
        ("DELETE FROM event_counters WHERE account_id = :id", "the counter is at 0, and 3 events"),
        ("UPDATE event_counters SET last = 4 WHERE account_id = :id", "the counter is at 4, and 3 events"),
        ("UPDATE events SET number = 0 WHERE account_id = :id AND number = 1", "numbered from 0 to 3"),
    ],
)
async def test_a_gap_is_found(database: Database, damage: str, says: str) -> None:
    account_id = await _recorded(database)
    async with database.write() as session:
        await session.execute(text(damage), {"id": account_id})
    async with database.read() as session:
        (found,) = await audit.findings(session)
    assert (found.check, found.subject) == ("events", account_id)
    assert says in found.detail
