from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from mutoscope.accounts.service import Accounts
from mutoscope.core.clock import ManualClock
from mutoscope.db import Database
from tests.webhooks.receiver import Receiver, receiver


@dataclass(frozen=True)
class People:
    ann: str
    bob: str


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def people(database: Database, clock: ManualClock) -> People:
    accounts = Accounts(database, clock)
    return People((await accounts.create("ann")).id, (await accounts.create("bob")).id)


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one
