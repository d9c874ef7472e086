"""An account to give credits to."""

from datetime import UTC, datetime

import pytest

from mutoscope.db import Database
from tests.ledger.bank import Bank


@pytest.fixture
async def bank(database: Database) -> Bank:
    bank = Bank(database, now=datetime(2026, 1, 1, tzinfo=UTC))
    await bank.open_account("acct_a")
    return bank
