"""The event sequence has no gap and no double, whoever writes at the same time and whoever changes his mind."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from mutoscope.accounts.service import Accounts
from mutoscope.core.clock import ManualClock
from mutoscope.db import Database
from mutoscope.events import service as events

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class ChangedMind(Exception):
    """Rolls a transaction back."""


@pytest.fixture
async def databases(database_url: str) -> AsyncIterator[list[Database]]:
    """Engines that share nothing but the database, as several processes would."""
    opened = [Database(database_url, pool_size=10) for _ in range(5)]
    yield opened
    for one in opened:
        await one.aclose()


async def _write(database: Database, account_id: str, subject: str, *, fails: bool) -> int | None:
    try:
        async with database.write() as session:
            number = await events.record(session, account_id, "thing.done", subject, data={"n": 1}, now=NOW)
            if fails:
                raise ChangedMind
            return number
    except ChangedMind:
        return None


async def test_fifty_writers_at_once_leave_no_gap(databases: list[Database]) -> None:
    accounts = Accounts(databases[0], ManualClock(NOW))
    busy, quiet = await accounts.create("busy"), await accounts.create("quiet")
    writers = [
        _write(databases[n % 5], quiet.id if n % 10 == 0 else busy.id, f"gen_{n}", fails=n % 3 == 0) for n in range(50)
    ]
    numbers = await asyncio.gather(*writers)
    for account, mine in ((busy, [n for n in range(50) if n % 10]), (quiet, [n for n in range(50) if n % 10 == 0])):
        told = sorted(number for n in mine if (number := numbers[n]) is not None)
        assert told == list(range(1, sum(n % 3 != 0 for n in mine) + 1))
        async with databases[1].read() as session:
            kept = await events.after(session, account.id, 0, limit=100)
        assert [event.number for event in kept] == told
        assert {event.subject_id for event in kept} == {f"gen_{n}" for n in mine if n % 3}


async def test_a_reader_who_follows_the_cursor_misses_nothing_while_others_write(databases: list[Database]) -> None:
    account = await Accounts(databases[0], ManualClock(NOW)).create("user-1")
    seen: list[int] = []

    async def follow() -> None:
        while len(seen) < 40:
            async with databases[4].read() as session:
                page = await events.after(session, account.id, seen[-1] if seen else 0, limit=7)
            seen.extend(event.number for event in page)
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(
            follow(), *(_write(databases[n % 4], account.id, f"gen_{n}", fails=False) for n in range(40))
        )
    assert seen == list(range(1, 41))


async def test_events_come_back_as_they_were_recorded(databases: list[Database]) -> None:
    account = await Accounts(databases[0], ManualClock(NOW)).create("user-1")
    for number in range(3):
        await _write(databases[0], account.id, f"gen_{number}", fails=False)
    async with databases[0].read() as session:
        page = await events.after(session, account.id, 1, limit=1)
    assert [(one.number, one.type, one.subject_id, one.data, one.created_at) for one in page] == [
        (2, "thing.done", "gen_1", {"n": 1}, NOW)
    ]
