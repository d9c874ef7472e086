"""A catalog with a clock and a provider of its own."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from mutoscope.catalog.service import Catalog
from mutoscope.core.clock import ManualClock
from mutoscope.db import Database
from tests.catalog.provider import MODELS, Provider


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def provider() -> Provider:
    return Provider()


@pytest.fixture
async def catalog(database: Database, clock: ManualClock, provider: Provider) -> AsyncIterator[Catalog]:
    catalog = Catalog(database, clock, MODELS, provider.fetch)
    yield catalog
    await catalog.aclose()
